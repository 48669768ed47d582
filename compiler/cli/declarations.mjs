// Keeps of the declarations that tsc wrote those that users of the package can reach, from the `types` of package.json's exports on; the others only make
// the package larger. In: the folder of the build.   Out: fewer files in it.
import { existsSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { dirname, join, relative } from "node:path";

export function keepPublicDeclarations(folder) {
  const { exports } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  const reached = new Set();
  const walk = (file) => {
    if (reached.has(file) || !existsSync(file)) return;
    reached.add(file);
    for (const [, path] of readFileSync(file, "utf8").matchAll(/(?:from|import\(?)\s*"(\.[^"]+)"/g))
      walk(join(dirname(file), path.replace(/\.[jt]s$/, ".d.ts")));
  };
  for (const { types } of Object.values(exports)) if (types) walk(join(folder, relative("dist", types)));
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    const file = join(folder, name);
    if (name.endsWith(".d.ts") && !reached.has(file)) rmSync(file);
  }
}
