// One training and the record that is kept of it. In: where records are wanted, events, checkpoints, the end.   Out: a folder (folder.ts) and curves, or nothing
// where none is wanted; none that cannot be written ends a training.
import { basename, join } from "node:path";
import type { Model, TrainEvent, TrainResult } from "../../../runtime/api.ts";
import type { DeviceFacts } from "../../../runtime/device.ts";
import { messageOf } from "../../../runtime/problem.ts";
import { NonFiniteLoss } from "../../../runtime/windows.ts";
import { checkWritable, writeWhole } from "../files.ts";
import type { ModelFlags, Planned } from "../model.ts";
import { UsageError, UserError } from "../problem.ts";
import { resultJson } from "../progress.ts";
import { curvesSvg } from "./curves-svg.ts";
import { dateName, newFolder, plainName, recordOf, RunFolder } from "./folder.ts";
import { epochsOf, Recorder, type Earlier, type MetricRow } from "./metrics.ts";
import { files, usualRuns, type RunReport, type RunStatus } from "./record.ts";

export interface RecordFlags {
  readonly runs?: string; // the folder of run folders
  readonly run?: false; // none
  readonly tensorboard?: boolean;
  readonly svg?: string; // a file of curves
}

/** What is wrong with these flags is told before anything is done. */
export function checkRecord(flags: RecordFlags): void {
  if (flags.run === false && flags.runs !== undefined) throw new UsageError("--no-run and --runs exclude one another");
  if (flags.tensorboard && flags.run === false)
    throw new UsageError("--tensorboard writes into the folder of the run, and --no-run wants none");
  if (flags.svg !== undefined) checkWritable(flags.svg);
}

export class Recording {
  readonly folder: RunFolder | undefined;
  readonly #recorder: Recorder;
  readonly #svg: string | undefined;
  readonly #began = performance.now();

  /** `svg`: a file of curves. */
  constructor(
    { plan }: Planned,
    model: Model,
    folder: RunFolder | undefined,
    { svg, earlier }: { readonly svg?: string | undefined; readonly earlier?: Earlier } = {},
  ) {
    this.folder = folder;
    this.#svg = svg;
    this.#recorder = new Recorder(epochsOf(plan, model), (row) => folder?.row(row), earlier);
  }
  readonly event = (event: TrainEvent): void => this.#recorder.event(event);
  /** Writes the checkpoint at its place, and keeps it with the run. */
  put(place: string, bytes: Uint8Array, elders: number): void {
    this.folder?.upToHere();
    writeWhole(place, bytes, elders, (temporary) => this.folder?.keep(temporary, bytes, elders));
  }
  /** Writes the checkpoint of the run, which goes on from it in this folder. */
  putOwn(bytes: Uint8Array, elders: number): void {
    if (!this.folder) return;
    this.folder.upToHere();
    this.folder.stretchAt(this.#recorder.open);
    writeWhole(join(this.folder.path, files.checkpoint), bytes, elders);
  }
  get rows(): readonly MetricRow[] {
    return this.#recorder.rows;
  }
  /** `error`: what ended it before its time. Throws where the file of --svg cannot be written. */
  end(results: readonly TrainResult[], error?: unknown): RunReport {
    this.#recorder.end();
    const status: RunStatus =
      error === undefined
        ? (results.at(-1)?.reason ?? "failed")
        : error instanceof NonFiniteLoss
          ? "diverged"
          : "failed";
    const report: RunReport = {
      kind: "report",
      status,
      ended: new Date().toISOString(),
      seconds: (performance.now() - this.#began) / 1000,
      ...(error === undefined ? {} : { error: messageOf(error) }),
      results: Object.fromEntries(results.map((r) => [r.train, resultJson(r)])),
    };
    this.folder?.end(report, this.rows);
    if (this.#svg !== undefined) writeWhole(this.#svg, curvesSvg([{ name: "", rows: this.rows }]));
    return report;
  }
}

/** The record of `dlm train`: in a new folder below --runs or `runs`, unless --no-run or --no-save wants nothing kept. */
export function recordTraining(
  compiled: Planned,
  model: Model,
  facts: DeviceFacts,
  flags: ModelFlags & RecordFlags & { readonly save?: string | false; readonly resume?: string },
  told: (reason: string) => void,
): Recording {
  const { runs, run, save, tensorboard = false, svg } = flags;
  const isWanted = run !== false && (save !== false || runs !== undefined || tensorboard);
  const recording = (folder?: RunFolder): Recording => new Recording(compiled, model, folder, { svg });
  if (!isWanted) return recording();
  const name = `${dateName(new Date())}-${plainName(basename(compiled.model.name, ".dlm"))}`;
  try {
    const path = newFolder(runs ?? usualRuns, name);
    return recording(new RunFolder(path, recordOf(compiled, model, facts, flags), compiled, { tensorboard, told }));
  } catch (error) {
    if (!(error instanceof UserError) || runs !== undefined) throw error; // told before the training that was to be recorded there
    told(error.message);
    return recording();
  }
}
/** A record that cannot be written is told, and is not worth the run. */
export const notRecorded = (reason: string): string => `${reason}; training goes on`;
/** For people: where it lies. */
export const folderText = ({ folder }: Recording): string | undefined => folder && join(folder.path, "");
