// Ways from artifacts to the data that they were made with. In: folders. Out: an address; a command that finds them.
import { homedir } from "node:os";
import { isAbsolute, join, relative, resolve, sep } from "node:path";
import type { Plan } from "../../runtime/plan.ts";
import { quoted } from "./started.ts";

/**
 * The way from one folder to another as an address. Artifacts are published: where the two have nothing in common but the user's home or what is above it, the
 * way would tell where he keeps his things, and there is none.
 */
export function wayTo(from: string, to: string, home = homedir()): string | undefined {
  const steps = relative(from, to).split(sep);
  if (isAbsolute(steps.join(sep))) return undefined; // another drive
  const above = resolve(from, ...steps.filter((step) => step === ".."));
  const isPrivate = `${home}${sep}`.startsWith(above.endsWith(sep) ? above : above + sep);
  if (isPrivate && steps.includes("..") && steps.at(-1) !== "..") return undefined;
  const path = steps.map(encodeURIComponent).join("/");
  return path === "" ? "./" : `${path}/`;
}

/** The command that trains with these artifacts, as it is typed where they were made. `data`: the folder of the model's paths, where it is another than their own. */
export function trainerCommand(plan: Plan, folder: string, data: string | undefined): string {
  const readsFiles =
    plan.datasets.some((set) => set.columns.some(({ loader }) => "path" in loader)) ||
    plan.trains.some((block) => block.load?.length);
  const isKnown = data === undefined || wayTo(resolve(folder), resolve(data)) !== undefined;
  const asked = readsFiles && !isKnown ? ["--data", quoted(data)] : [];
  return ["node", quoted(join(folder, "trainer.mjs")), ...asked].join(" ");
}
