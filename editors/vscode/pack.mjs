// The extension as one file: `npm run vscode` writes out/dlm.vsix (or the path given). Extension and server are bundled; a .vsix is a zip with two lists of
// what is in it. Of the same sources the same bytes.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { strToU8, zipSync } from "fflate";

const here = fileURLToPath(new URL(".", import.meta.url));
const text = (path) => readFileSync(join(here, path), "utf8");

export async function vsix() {
  const { outputFiles } = await build({
    entryPoints: { extension: join(here, "src/extension.ts"), server: join(here, "src/server.ts") },
    bundle: true,
    write: false,
    outdir: "/",
    outExtension: { ".js": ".cjs" },
    platform: "node",
    format: "cjs",
    target: "node20",
    external: ["vscode"],
    minify: true,
    keepNames: false,
    charset: "utf8",
    legalComments: "inline",
    logLevel: "error",
    // what is loaded by an address is nothing that the server does
    define: { "import.meta.url": '"file:///dlm/server.cjs"' },
  });
  const manifest = JSON.parse(text("package.json"));
  const files = {
    "extension/package.json": text("package.json"),
    "extension/language-configuration.json": text("language-configuration.json"),
    "extension/syntaxes/dlm.tmLanguage.json": text("syntaxes/dlm.tmLanguage.json"),
    "extension/readme.md": text("README.md"),
    "extension/LICENSE.txt": text("../../LICENSE"),
    ...Object.fromEntries(outputFiles.map((f) => [`extension/dist/${f.path.replace(/^.*[\\/]/, "")}`, f.text])),
    "extension.vsixmanifest": manifestOf(manifest),
    "[Content_Types].xml": contentTypes,
  };
  const entries = Object.entries(files).map(([name, content]) => [
    name,
    [strToU8(content), { level: 9, mtime: "1980-01-02T00:00:00" }],
  ]);
  return zipSync(Object.fromEntries(entries));
}
const xml = (s) => s.replace(/[<>&"]/g, (c) => `&#${c.charCodeAt(0)};`);
const manifestOf = ({
  name,
  publisher,
  version,
  displayName,
  description,
  categories,
  engines,
}) => `<?xml version="1.0" encoding="utf-8"?>
<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011">
  <Metadata>
    <Identity Language="en-US" Id="${xml(name)}" Version="${xml(version)}" Publisher="${xml(publisher)}" />
    <DisplayName>${xml(displayName)}</DisplayName>
    <Description xml:space="preserve">${xml(description)}</Description>
    <Categories>${xml(categories.join(","))}</Categories>
    <Properties>
      <Property Id="Microsoft.VisualStudio.Code.Engine" Value="${xml(engines.vscode)}" />
      <Property Id="Microsoft.VisualStudio.Code.ExtensionKind" Value="workspace" />
    </Properties>
    <License>extension/LICENSE.txt</License>
  </Metadata>
  <Installation><InstallationTarget Id="Microsoft.VisualStudio.Code" /></Installation>
  <Dependencies />
  <Assets>
    <Asset Type="Microsoft.VisualStudio.Code.Manifest" Path="extension/package.json" Addressable="true" />
    <Asset Type="Microsoft.VisualStudio.Services.Content.Details" Path="extension/readme.md" Addressable="true" />
    <Asset Type="Microsoft.VisualStudio.Services.Content.License" Path="extension/LICENSE.txt" Addressable="true" />
  </Assets>
</PackageManifest>
`;
const contentTypes = `<?xml version="1.0" encoding="utf-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">${[
  ["json", "application/json"],
  ["cjs", "application/javascript"],
  ["md", "text/markdown"],
  ["txt", "text/plain"],
  ["vsixmanifest", "text/xml"],
]
  .map(([extension, type]) => `<Default Extension=".${extension}" ContentType="${type}" />`)
  .join("")}</Types>
`;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const path = process.argv[2] ?? "out/dlm.vsix";
  mkdirSync(dirname(path), { recursive: true });
  const bytes = await vsix();
  writeFileSync(path, bytes);
  console.log(`${path}, ${Math.round(bytes.length / 1000)} kB: code --install-extension ${path}`);
}
