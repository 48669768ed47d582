// A real headless Chromium for tests, from `npm ci` alone: unpacked once into dlm's cache, with the libraries and fonts that come with it.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
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

export interface Looks {
  readonly width?: number; // default 1200
  readonly height?: number; // default 900
  readonly dark?: boolean;
}
/** A page in a profile of its own, and what goes wrong in it. */
export async function newPage(
  browser: Browser,
  { width = 1200, height = 900, dark = false }: Looks = {},
): Promise<{ readonly page: Page; readonly context: BrowserContext; readonly errors: readonly string[] }> {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: dark ? "dark" : "light",
  });
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (m) => void (m.type() === "error" && !/404/.test(m.text()) && errors.push(m.text())));
  return { page, context, errors };
}
