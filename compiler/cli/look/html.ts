// `dlm inspect --html`: one file with the linked views of a model, to be opened anywhere. In: what is shown, the viewer that the build made. Out: HTML.
import { createHash } from "node:crypto";
import type { Look } from "./look.ts";

export interface Viewer {
  readonly js: string;
  readonly css: string;
}
/** Nothing in it is run but the viewer, whatever names and strings of the model look like. */
export function lookHtml(look: Look, { js, css }: Viewer): string {
  const hash = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
  const policy = `default-src 'none'; script-src ${hash(js)}; style-src ${hash(css)}; base-uri 'none'; form-action 'none'`;
  const title = look.name.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${title}</title>
<style>${css}</style>
</head>
<body>
<header><h1>${title}</h1><p id="see"></p></header>
<main>
<section id="left" aria-label="Model"><div id="text"></div></section>
<section id="right" aria-label="What it becomes"><div id="tabs" role="tablist" aria-label="Stages"></div><div id="chosen" hidden></div><div id="panels"></div></section>
</main>
<script type="application/json" id="look">${JSON.stringify(look).replaceAll("<", "\\u003c")}</script>
<script type="module">${js}</script>
</body>
</html>
`;
}
