// A server of one folder, for this machine alone. In: a folder; what pages are told when it changes. Out: an address.
// It listens on the loopback interface and answers only requests that name it so (a name that somebody else points at it is none); it gives files of the folder,
// none whose real place is outside of it, none whose name begins with a dot, and lists nothing. What it sends lets a page load nothing from elsewhere.
import * as fs from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { extname, join, sep } from "node:path";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".json": "application/json",
  ".csv": "text/csv; charset=utf-8",
  ".txt": "text/plain; charset=utf-8",
  ".wgsl": "text/plain; charset=utf-8",
  ".md": "text/plain; charset=utf-8",
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
};
const headers: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; object-src 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
};
const [eventsPath, reloadPath] = ["/@dlm/events", "/@dlm/reload.mjs"];

/** What pages are told. */
export type Built = { readonly built: string } | { readonly problem: string };
export interface StaticServer {
  readonly address: string;
  /** Pages that are open load anew, or show what is wrong. */
  tell(built: Built): void;
  close(): void;
}
export interface StaticOptions {
  readonly port: number; // 0: any that is free
  readonly otherPort?: boolean; // a free one where that is taken
}

export async function serveFolder(folder: string, options: StaticOptions): Promise<StaticServer> {
  const listeners = new Set<ServerResponse>();
  let last: Built | undefined;
  const eventText = (event: Built): string =>
    `event: ${"built" in event ? "built" : "problem"}\ndata: ${JSON.stringify("built" in event ? event.built : event.problem)}\n\n`;
  const server = createServer((request, response) => {
    const path = pathOf(request);
    if (!isOwn(request, server)) return refuse(response, 403, "this server answers to localhost only");
    if (request.method !== "GET" && request.method !== "HEAD") return refuse(response, 405, "only GET and HEAD");
    if (path === undefined) return refuse(response, 400, "not a path");
    if (path === eventsPath) {
      response.writeHead(200, { ...headers, "content-type": "text/event-stream" });
      response.write(last ? eventText(last) : ": \n\n");
      listeners.add(response);
      request.on("close", () => listeners.delete(response));
      return;
    }
    if (path === reloadPath) return send(request, response, types[".mjs"]!, reloadScript);
    const place = fileIn(folder, path.endsWith("/") ? `${path}index.html` : path);
    if (place === undefined) {
      if ((path === "/" || path === "/index.html") && last && "problem" in last)
        return send(request, response, types[".html"]!, waitingPage);
      return refuse(response, 404, "there is no such file");
    }
    if (extname(place) === ".html")
      return send(request, response, types[".html"]!, withReload(fs.readFileSync(place, "utf8")));
    sendFile(request, response, place);
  });
  await listen(server, options);
  return {
    address: `http://127.0.0.1:${portOf(server)}/`,
    tell: (built) => {
      last = built;
      for (const response of listeners) response.write(eventText(built));
    },
    close: () => {
      for (const response of listeners) response.end();
      server.close();
      server.closeAllConnections();
    },
  };
}
async function listen(server: Server, { port, otherPort = false }: StaticOptions): Promise<void> {
  const attempt = (at: number): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(at, "127.0.0.1", () => {
        server.off("error", reject);
        resolve();
      });
    });
  await attempt(port).catch((error: NodeJS.ErrnoException) => {
    if (otherPort && error.code === "EADDRINUSE") return attempt(0);
    throw error;
  });
}
function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address ? address.port : 0;
}
/** A browser names the server that it was sent to: a page elsewhere that has its name point at this machine is not meant. */
function isOwn({ headers: { host } }: IncomingMessage, server: Server): boolean {
  const port = portOf(server);
  return [`127.0.0.1:${port}`, `localhost:${port}`].includes(host?.toLowerCase() ?? "");
}
/** As the file system spells it; undefined for what is no path. */
function pathOf({ url }: IncomingMessage): string | undefined {
  try {
    const path = decodeURIComponent((url ?? "/").replace(/[?#].*$/s, ""));
    return path.startsWith("/") && !/[\0\\]/.test(path) ? path : undefined;
  } catch {
    return undefined;
  }
}
/** The real place of a file of the folder. */
function fileIn(folder: string, path: string): string | undefined {
  if (path.split("/").some((part) => part.startsWith("."))) return undefined;
  try {
    const root = fs.realpathSync(folder);
    const place = fs.realpathSync(join(root, path));
    return place.startsWith(root.endsWith(sep) ? root : root + sep) && fs.statSync(place).isFile() ? place : undefined;
  } catch {
    return undefined;
  }
}
function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { ...headers, "content-type": "text/html; charset=utf-8" }).end(`<p>${text}</p>\n`); // texts of this file alone
}
function send(request: IncomingMessage, response: ServerResponse, type: string, text: string): void {
  response.writeHead(200, { ...headers, "content-type": type, "content-length": Buffer.byteLength(text) });
  response.end(request.method === "HEAD" ? undefined : text);
}
function sendFile(request: IncomingMessage, response: ServerResponse, place: string): void {
  const stream = fs.createReadStream(place);
  stream.once("error", () => (response.headersSent ? response.destroy() : refuse(response, 404, "it cannot be read")));
  stream.once("open", () => {
    response.writeHead(200, {
      ...headers,
      "content-type": types[extname(place).toLowerCase()] ?? "application/octet-stream",
    });
    if (request.method === "HEAD") {
      stream.destroy();
      response.end();
    } else stream.pipe(response);
  });
  response.once("close", () => stream.destroy());
}
const scriptTag = `<script type="module" src="${reloadPath}"></script>`;
const withReload = (html: string): string =>
  html.includes("</body>")
    ? html.replace(/<\/body>(?![\s\S]*<\/body>)/, () => `${scriptTag}\n</body>`)
    : html + scriptTag;
const waitingPage = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>dlm</title></head>
<body><main><h1>The model does not compile yet</h1></main>${scriptTag}</body></html>
`;
/** Runs on the page: loads it anew after a change, and shows what is wrong with the source. */
const reloadScript = `const events = new EventSource(${JSON.stringify(eventsPath)});
let known;
let shown;
function reload() {
  const waited = []; // whoever has something to keep first
  dispatchEvent(new CustomEvent("dlm:reload", { detail: (ready) => waited.push(ready) }));
  const patience = new Promise((resolve) => setTimeout(resolve, 5000));
  Promise.race([Promise.allSettled(waited), patience]).then(() => location.reload());
}
events.addEventListener("built", ({ data }) => {
  if ((known !== undefined && known !== data) || !document.querySelector('link[rel="stylesheet"]')) reload();
  known = data;
  shown?.remove();
});
events.addEventListener("problem", ({ data }) => {
  known ??= "";
  shown ??= document.createElement("pre");
  shown.textContent = JSON.parse(data);
  shown.setAttribute("role", "alert");
  Object.assign(shown.style, {
    position: "fixed", inset: "auto 0 0 0", margin: "0", padding: "16px 20px", maxHeight: "60vh", overflow: "auto", zIndex: "9",
    background: "#1d1113", color: "#ffd9d6", borderTop: "3px solid #e5484d", font: "13px/1.5 ui-monospace, Menlo, Consolas, monospace",
  });
  document.body.append(shown);
});
`;
