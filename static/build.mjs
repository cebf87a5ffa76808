// Builds dist/: minified, and compressed ahead of time so that no request pays for it.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { build } from "esbuild";
import { minify } from "terser";

const out = new URL("./dist/", import.meta.url).pathname;
const src = new URL("./src/", import.meta.url).pathname;
const draft = new URL(`./.new-${process.pid}`, import.meta.url).pathname;

const brotli = (bytes) =>
  brotliCompressSync(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  });

// A second pass: terser folds what is used once, which esbuild leaves. Which of its equivalent spellings compresses best cannot be
// foreseen, so all are tried, always in the same order.
const smallest = async (code) => {
  let best = Buffer.from(code);
  for (let choice = 0; choice < 8; choice++) {
    const [sequences, join_vars, unsafe_methods] = [1, 2, 4].map((bit) => !(choice & bit));
    const compress = { passes: 3, unsafe_arrows: true, sequences, join_vars, unsafe_methods };
    const result = await minify(code, { ecma: 2020, toplevel: true, compress });
    const bytes = Buffer.from(result.code);
    if (brotli(bytes).length < brotli(best).length) best = bytes;
  }
  return best;
};

mkdirSync(out, { recursive: true });
const written = new Set();
// A server that starts meanwhile finds the old file or the new one, never none and never half of one.
const write = (path, bytes) => {
  writeFileSync(draft, bytes);
  renameSync(draft, path);
  written.add(basename(path));
};

/** Bundles each of `names` and packs what came of it; `MAIN` in a script becomes `main`. */
const make = async (names, main) => {
  const result = await build({
    entryPoints: names.map((name) => src + name),
    outdir: out,
    write: false,
    bundle: true,
    minify: true,
    charset: "utf8",
    format: "iife",
    target: ["es2022", "chrome105", "firefox104", "safari15.4"],
    // Modules are strict by themselves; the prologue would be bytes for nothing.
    tsconfigRaw: { compilerOptions: { target: "ES2022" } },
    legalComments: "none",
    logLevel: "warning",
  });
  for (const { path, contents, text } of result.outputFiles) {
    const bytes = path.endsWith(".js") ? await smallest(text.replace("MAIN", JSON.stringify(main))) : contents;
    const compressed = brotli(bytes);
    write(path, bytes);
    write(`${path}.br`, compressed);
    write(`${path}.gz`, gzipSync(bytes, { level: 9 }));
    console.log(`${basename(path)}: ${bytes.length} bytes, ${compressed.length} after brotli`);
  }
};

await make(["consent.ts", "widget.css", "dialog.css", "bar.css", "page.css", "sign-in.css", "admin.ts", "admin.css"]);
// The loader names the whole script as it is served (consent_widget/web/assets.py).
const digest = createHash("sha256")
  .update(readFileSync(`${out}consent.js`))
  .digest("hex")
  .slice(0, 8);
await make(["loader.ts"], `./consent.${digest}.js`);
for (const name of readdirSync(out)) if (!written.has(name)) rmSync(out + name);
