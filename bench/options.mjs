// Options of a script of this folder. In: its address, what `parseArgs` takes. Out: the options; the script ends with its first comment where that is asked
// for (--help), and where there are options that it does not know.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

export function optionsOf(script, config) {
  const lines = readFileSync(new URL(script), "utf8").split("\n").slice(1);
  const end = lines.findIndex((l) => !l.startsWith("//"));
  const about = lines.slice(0, end).map((l) => l.slice(3));
  try {
    const found = parseArgs({ ...config, options: { ...config.options, help: { type: "boolean", default: false } } });
    if (!found.values.help) return found;
    console.log(about.join("\n"));
    process.exit(0);
  } catch (error) {
    console.error(`${error.message}\n\n${about.join("\n")}`);
    process.exit(2);
  }
}
