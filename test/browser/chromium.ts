// A real headless Chromium for tests, from `npm ci` alone: unpacked once into dlm's cache, with the libraries and fonts that come with it.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { chromium, type Browser } from "playwright-core";
import { cachedFolder, chromiumPackage, unpack } from "../../compiler/cli/embedded.ts";

export async function openBrowser(): Promise<Browser> {
  const source = await chromiumPackage();
  if (!source) throw new Error("@sparticuz/chromium is not installed");
  const folder = await cachedFolder(`chromium-${source.version}`, (beside) => {
    for (const name of ["chromium.br", "fonts.tar.br", "swiftshader.tar.br", "al2023.tar.br"])
      unpack(source.archive(name), beside);
    // The archive's own settings name folders of the root; a folder relative to this file holds everywhere.
    writeFileSync(
      join(beside, "fonts.conf"),
      `<?xml version="1.0"?><fontconfig><dir prefix="relative">fonts</dir><cachedir>~/font-cache</cachedir></fontconfig>`,
    );
  });
  const env = {
    ...process.env,
    LD_LIBRARY_PATH: join(folder, "lib"),
    FONTCONFIG_FILE: join(folder, "fonts.conf"),
    HOME: folder,
  };
  return chromium.launch({
    executablePath: join(folder, "chromium"),
    env: Object.fromEntries(
      Object.entries(env).flatMap(([name, value]) =>
        value === undefined || name.startsWith("VK_") ? [] : [[name, value]],
      ),
    ),
    args: [
      "--headless=shell",
      "--no-sandbox",
      "--enable-unsafe-webgpu",
      "--use-webgpu-adapter=swiftshader",
      "--enable-unsafe-swiftshader",
      "--font-render-hinting=none",
    ],
  });
}
