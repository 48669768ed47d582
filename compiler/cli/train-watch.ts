// dlm train --watch: trains, and at every save of the model or of what it imports trains the text that is there then. A text with errors is told, and the run
// goes on without it; one without ends the run. What was still training goes on from its checkpoint where parameters and rows fit; else it begins anew.
// In: a model, options.   Out: never, until a signal.
import { extname } from "node:path";
import { DeviceUnavailable } from "../../runtime/node.ts";
import { RuntimeProblem } from "../../runtime/problem.ts";
import { NonFiniteLoss } from "../../runtime/windows.ts";
import { counted } from "../print/text.ts";
import { compileModel, openModel, reportDiagnostics, type ModelFile } from "./model.ts";
import { Reported, UsageError, UserError } from "./problem.ts";
import { openTerminal, type Terminal } from "./terminal.ts";
import { trainOnce, type TrainFlags, type Trained } from "./train.ts";
import { changeOf } from "./watch.ts";

export async function trainAtEverySave(path: string, flags: TrainFlags): Promise<never> {
  const terminal = openTerminal(flags.json === true);
  let [goesOn, isFirst] = [false, true];
  const end = new AbortController(); // of looking at files
  let good: string | undefined; // the folder of the last run that came to its end
  for (;;) {
    const stop = new AbortController();
    const began = Date.now();
    const { resume, ...further } = flags;
    const asked = isFirst && resume !== undefined ? { ...further, resume } : further;
    let model: ModelFile | undefined;
    let changed: Promise<void> | undefined;
    const follow = (): Promise<void> =>
      (changed ??= nextSound(path, flags, sourcesOf(path, model), began, terminal, end.signal).finally(() =>
        stop.abort(),
      ));
    let trained: Trained | undefined;
    try {
      model = openModel(path);
      trained = await trainOnce(model, asked, {
        signal: stop.signal,
        goesOn,
        compiled: () => void follow().catch(() => {}), // it is waited for below
      });
      if (!stop.signal.aborted) good = trained.folder ?? trained.checkpoint;
    } catch (error) {
      if (!isTold(error, isFirst, flags, terminal)) {
        end.abort();
        throw error;
      }
      if (error instanceof NonFiniteLoss) goesOn = false; // else what was still training waits for a text that fits
    }
    if (trained) goesOn = trained.results.at(-1)?.reason === "paused";
    isFirst = false;
    if (!stop.signal.aborted) {
      const files = counted(sourcesOf(path, model).length, "file");
      terminal.note(`watching ${files}${good === undefined ? "" : `; the last good run is kept in ${good}`}`);
    }
    await follow();
    if (flags.json) terminal.line(JSON.stringify({ kind: "changed", model: path }));
    else terminal.note(`${path} has changed`);
  }
}
/** Data are left out: a run may write what another one reads. */
const sourcesOf = (path: string, model: ModelFile | undefined): readonly string[] => [
  ...new Set([path, ...[...(model?.files ?? [])].filter((file) => extname(file) === ".dlm")]),
];
/** Waits for a text without errors that is later than this time; tells those of others. */
async function nextSound(
  path: string,
  flags: TrainFlags,
  sources: readonly string[],
  since: number,
  terminal: Terminal,
  end: AbortSignal,
): Promise<void> {
  for (let files = sources; ;) {
    await changeOf(files, since, end);
    if (end.aborted) return;
    since = Date.now();
    let model: ModelFile | undefined;
    try {
      model = openModel(path);
      const { plan, diagnostics } = await compileModel(model, flags, undefined);
      if (plan) return;
      terminal.endUpdate();
      reportDiagnostics(diagnostics, model, false, flags);
    } catch (error) {
      if (!isTold(error, false, flags, terminal)) throw error;
    }
    files = [...new Set([...files, ...sourcesOf(path, model)])];
  }
}
/** What is wrong with a run or a text is no end; a signal, an output that nobody reads, a wrong command line are. */
function isTold(error: unknown, isFirst: boolean, flags: TrainFlags, terminal: Terminal): boolean {
  if (error instanceof Reported && error.message) return true; // it was shown
  const isTheirs = error instanceof UserError || error instanceof RuntimeProblem || error instanceof DeviceUnavailable;
  if (!isTheirs || (isFirst && error instanceof UsageError)) return false;
  terminal.endUpdate();
  terminal.note(`dlm: ${error.message}`);
  if (flags.json) terminal.line(JSON.stringify({ kind: "error", message: error.message }));
  return true;
}
