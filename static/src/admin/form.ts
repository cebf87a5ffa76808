// What the editor's parts know of their form.

/** Where `form` is sent. Not `form.action`: that is a button of this name. */
export const addressOf = (form: HTMLFormElement) => new URL(form.getAttribute("action") ?? "", location.href).href;
