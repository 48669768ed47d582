// How `dlm train` goes on from what an earlier run kept: the newest whole checkpoint, and the command line that says so.
import type { Model } from "../../runtime/api.ts";
import { generations, ofFile, readBytes } from "./files.ts";
import { UserError } from "./problem.ts";

/** The model as the newest whole checkpoint of FILE, FILE.1, ... has it; why newer ones were refused. Throws what is wrong with the newest where none is whole. */
export async function restoreNewest(
  model: Model,
  path: string,
): Promise<{ readonly file: string; readonly refused: readonly string[] }> {
  const found = generations(path);
  const refused: UserError[] = [];
  for (const file of found.length ? found : [path]) {
    try {
      const bytes = readBytes(file);
      await ofFile(file, () => model.restore(bytes));
      return { file, refused: refused.map((error) => error.message) };
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      refused.push(error);
    }
  }
  throw refused[0]!;
}

/** The command line again, going on from the checkpoint. */
export function resumeLine(args: readonly string[], checkpoint: string): string {
  const kept: string[] = [];
  for (let i = 0; i < args.length; i++) {
    if (/^--(resume|stop-after)=/.test(args[i]!)) continue;
    if (/^--(resume|stop-after)$/.test(args[i]!)) i++;
    else kept.push(args[i]!);
  }
  return ["dlm", ...kept, "--resume", checkpoint]
    .map((a) => (/^[\w@%+=:,./-]+$/.test(a) ? a : `'${a.replaceAll("'", `'\\''`)}'`))
    .join(" ");
}
