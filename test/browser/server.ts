// A static server on localhost, as any other: files of a folder, with their types.
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".mjs": "text/javascript",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".csv": "text/csv",
  ".json": "application/json",
};

/** `headers`: sent with every file. `redirected`: from paths to addresses. */
export async function serve(
  folder: string,
  headers: Readonly<Record<string, string>> = {},
  redirected: Readonly<Record<string, string>> = {},
): Promise<{ readonly address: string; readonly asked: readonly string[]; readonly close: () => void }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    const location = redirected[request.url ?? ""];
    if (location !== undefined) {
      response.writeHead(302, { ...headers, location }).end();
      return;
    }
    const path = join(folder, normalize(decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname)));
    if (!existsSync(path) || !statSync(path).isFile()) {
      response.writeHead(404, { "content-type": "text/html" }).end("<p>not found</p>");
      return;
    }
    response.writeHead(200, { ...headers, "content-type": types[extname(path)] ?? "application/octet-stream" });
    createReadStream(path).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    close: () => void server.close(),
  };
}
