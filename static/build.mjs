// Builds dist/: minified, and compressed ahead of time so that no request pays for it.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { build } from "esbuild";
import { minify } from "terser";

const out = new URL("./dist/", import.meta.url).pathname;
const src = new URL("./src/", import.meta.url).pathname;

mkdirSync(out, { recursive: true });
for (const name of readdirSync(out)) rmSync(out + name);

await build({
  entryPoints: ["loader.ts", "consent.ts", "widget.css", "dialog.css", "page.css"].map((name) => src + name),
  outdir: out,
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

for (const name of readdirSync(out).sort()) {
  if (name.endsWith(".js")) {
    // A second pass: terser folds single-use functions, which esbuild leaves.
    const options = {
      ecma: 2020,
      toplevel: true,
      compress: { passes: 3, unsafe_arrows: true },
      mangle: { toplevel: true },
    };
    const { code } = await minify(readFileSync(out + name, "utf8"), options);
    writeFileSync(out + name, code);
  }
  const bytes = readFileSync(out + name);
  const brotli = brotliCompressSync(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  });
  writeFileSync(`${out}${name}.br`, brotli);
  writeFileSync(`${out}${name}.gz`, gzipSync(bytes, { level: 9 }));
  console.log(`${name}: ${bytes.length} bytes, ${brotli.length} after brotli`);
}
