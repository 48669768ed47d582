// Keeps of the declarations that tsc wrote those that users of the package can reach, from the `types` of package.json's exports on, and the comments of
// what these name; the others only make the package larger. In: the folder of the build.   Out: fewer and smaller files in it.
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

export function keepPublicDeclarations(folder) {
  const { exports } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  const reached = new Map(); // with the fewest files on the way to it
  const walk = (file, far) => {
    if (reached.get(file) <= far || !existsSync(file)) return;
    reached.set(file, far);
    for (const [, path] of readFileSync(file, "utf8").matchAll(/(?:from|import\(?)\s*"(\.[^"]+)"/g))
      walk(join(dirname(file), path.replace(/\.[jt]s$/, ".d.ts")), far + 1);
  };
  for (const { types } of Object.values(exports)) if (types) walk(join(folder, relative("dist", types)), 0);
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    const file = join(folder, name);
    if (name.endsWith(".d.ts") && !reached.has(file)) rmSync(file);
    else if (reached.get(file) > 1)
      writeFileSync(file, readFileSync(file, "utf8").replace(/^ *\/\*\*(?:(?!\*\/)[^])*\*\/\n/gm, ""));
  }
}
