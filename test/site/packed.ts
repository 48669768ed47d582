// The package as others get it: built and packed in a folder of its own, and put into node_modules of a site with what it depends on.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { trainerParts } from "../../compiler/cli/bundle.mjs";

export const project = join(import.meta.dirname, "../..");
const run = (program: string, args: readonly string[], cwd: string): string =>
  execFileSync(program, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

export interface Packed {
  /** A folder whose node_modules have the package, and these under their names there. */
  readonly into: (folder: string, linked: Readonly<Record<string, string>>) => void;
  readonly remove: () => void;
}
export async function packed(): Promise<Packed> {
  const root = mkdtempSync(join(tmpdir(), "dlm-packed-"));
  const built = join(root, "built");
  const tsc = join(project, "node_modules/typescript/bin/tsc");
  run(process.execPath, [tsc, "-p", "tsconfig.build.json", "--outDir", join(built, "dist")], project);
  writeFileSync(join(built, "dist/compiler/cli/trainer-parts.json"), JSON.stringify(await trainerParts()));
  for (const name of ["package.json", "README.md"]) cpSync(join(project, name), join(built, name));
  const [tarball] = run("npm", ["pack", "--ignore-scripts", "--silent"], built).trim().split("\n").slice(-1);
  run("tar", ["-xzf", tarball!], built); // to the folder `package`
  const { dependencies } = JSON.parse(readFileSync(join(built, "package.json"), "utf8")) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  return {
    into: (folder, linked) => {
      const modules = join(folder, "node_modules");
      mkdirSync(modules, { recursive: true });
      cpSync(join(built, "package"), join(modules, "dlm"), { recursive: true });
      const all = { ...Object.fromEntries(Object.keys(dependencies).map((name) => [name, name])), ...linked };
      for (const [name, target] of Object.entries(all)) {
        mkdirSync(dirname(join(modules, name)), { recursive: true });
        symlinkSync(join(project, "node_modules", target), join(modules, name));
      }
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}
/** All files below a folder, as one text. */
export const textBelow = (folder: string): string =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .flatMap((entry) => (entry.isFile() ? [readFileSync(join(entry.parentPath, entry.name), "latin1")] : []))
    .join("\n");
