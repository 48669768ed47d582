// The folder of a run while it goes on. In: what is asked for, rows of metrics, checkpoints, how it ended.   Out: files (record.ts lists them). What cannot
// be written is told once and tried again with what comes next: a record is never worth the run.
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { hostname } from "node:os";
import { dirname, join, relative } from "node:path";
import type { Model } from "../../../runtime/api.ts";
import type { DeviceFacts } from "../../../runtime/device.ts";
import { attempt, linkWhole, makeFolders } from "../../../runtime/files.ts";
import { jsonText } from "../../../runtime/tensor.ts";
import { parameterCount } from "../../print/text.ts";
import { version } from "../../version.ts";
import { writeWhole } from "../files.ts";
import type { ModelFile, ModelFlags, Planned } from "../model.ts";
import { fileProblem, UserError } from "../problem.ts";
import { curvesSvg } from "./curves-svg.ts";
import { eventsFileName, fileHead, scalarsEvent } from "./events-file.ts";
import { Log } from "./log.ts";
import { columnsOf, csvHead, csvLine, type MetricRow, type Stretch } from "./metrics.ts";
import { files, format, readStretches, type RunRecord, type RunReport } from "./record.ts";

const flushSeconds = 1;
const mostStretches = 64; // checkpoints, also those that could not be written
const mostNumbered = 10_000; // runs of one name in one second
const longestName = 60; // characters of the model's name

/** What a file system, a shell and a browser take for a name. */
export const plainName = (name: string): string =>
  [...name.replace(/[^\p{L}\p{N}=._,+-]+/gu, "-").replace(/^[-.]+|[-.]+$/g, "")].slice(0, longestName).join("") ||
  "model";
const two = (n: number): string => String(n).padStart(2, "0");
/** Local time, in the order of time: 2026-11-29-104512. */
export const dateName = (d: Date): string =>
  `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}-${two(d.getHours())}${two(d.getMinutes())}${two(d.getSeconds())}`;

/** A new folder that no other run has: NAME, NAME-2, NAME-3. Throws a UserError. */
export function newFolder(parent: string, name: string): string {
  try {
    makeFolders(fs, parent);
    for (let n = 1; ; n++) {
      const path = join(parent, n === 1 ? name : `${name}-${n}`);
      try {
        fs.mkdirSync(path);
        return path;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST" || n >= mostNumbered) throw error;
      }
    }
  } catch (error) {
    throw fileProblem("make a run folder in", parent, error);
  }
}

/** What is asked for, of what, on what. */
export function recordOf(
  { plan, model }: Planned,
  loaded: Model,
  facts: DeviceFacts,
  flags: ModelFlags & { readonly steps?: number; readonly epochs?: number; readonly resume?: string },
): RunRecord {
  const { seed, steps, epochs, resume } = flags;
  const length = { ...(epochs === undefined ? {} : { epochs }), ...(steps === undefined ? {} : { steps }) };
  const trains = plan.trains.map((t) => {
    const own = {
      ...(t.epochs === undefined ? {} : { epochs: t.epochs }),
      ...(t.steps === undefined ? {} : { steps: t.steps }),
    };
    const planned = Object.keys(length).length ? length : own;
    return [t.name, { batch: t.batch, accumulate: t.accumulate, seed: seed ?? t.seed, ...planned }] as const;
  });
  return {
    kind: "run",
    format,
    model: model.path,
    command: process.argv.slice(2),
    began: new Date().toISOString(),
    host: hostname(),
    process: process.pid,
    settings: {
      set: flags.set ?? {},
      seed: seed ?? null,
      data: flags.data ?? null,
      ...length,
      trains: Object.fromEntries(trains),
    },
    versions: { dlm: version, node: process.version, system: `${process.platform} ${process.arch}` },
    device: { class: facts.class, name: facts.name, vendor: facts.vendor, architecture: facts.architecture },
    plan: {
      target: plan.target,
      parameters: parameterCount(plan),
      bytes: loaded.cost.bytes,
      kernels: plan.modules.length,
    },
    imports: importHashes(model),
    rows: Object.fromEntries(Object.entries(loaded.data).map(([name, { splits }]) => [name, splits])),
    resumed:
      resume === undefined ? null : { from: resume, step: Math.max(0, ...loaded.trains.map((t) => loaded.step(t))) },
  };
}

/** Of the files that the model imports, as far as they can be read. */
function importHashes({ path, files = new Set() }: ModelFile): Record<string, string> {
  const others = [...files].filter((file) => file.endsWith(".dlm") && file !== path).sort();
  return Object.fromEntries(
    others.flatMap((file) => {
      let hash: string | undefined;
      attempt(() => (hash = createHash("sha256").update(fs.readFileSync(file)).digest("hex")));
      return hash === undefined ? [] : [[relative(dirname(path), file), hash] as const];
    }),
  );
}

export interface FolderOptions {
  readonly tensorboard?: boolean;
  /** Rows that are there already: the run goes on. */
  readonly before?: readonly MetricRow[];
  /** What cannot be written; once. */
  readonly told: (reason: string) => void;
}
export class RunFolder {
  readonly path: string;
  readonly #columns: readonly string[];
  readonly #options: FolderOptions;
  readonly #logs: { readonly lines: Log; readonly table: Log; readonly events: Log | undefined };
  readonly #began = Date.now();
  #flushedAt = 0;
  #isTold = false;
  #stretches: readonly Stretch[]; // under way when a checkpoint was written

  /** In a folder that is there. */
  constructor(path: string, record: RunRecord, { plan, model }: Planned, options: FolderOptions) {
    this.path = path;
    this.#columns = columnsOf(plan);
    this.#options = options;
    this.#stretches = readStretches(path);
    const { before = [], tensorboard } = options;
    const begin = (name: string, text: string): Log => {
      let log = new Log(join(path, name));
      this.#attempt(() => {
        writeWhole(log.path, text);
        log = new Log(log.path, new TextEncoder().encode(text).length);
      });
      if (!log.length) log.add(text); // not there yet
      return log;
    };
    this.#attempt(() => writeWhole(join(path, files.model), model.text));
    this.#attempt(() => writeWhole(join(path, files.run), `${jsonText(record, 2)}\n`));
    const seconds = this.#began / 1000;
    const events = eventsFileName(seconds, hostname(), process.pid);
    this.#logs = {
      lines: begin(files.lines, before.map(lineOf).join("")),
      table: begin(files.table, csvHead(this.#columns) + before.map((row) => csvLine(row, this.#columns)).join("")),
      events: tensorboard ? new Log(join(path, events)) : undefined,
    };
    this.#logs.events?.add(fileHead(seconds));
  }
  row(row: MetricRow): void {
    const { lines, table, events } = this.#logs;
    lines.add(lineOf(row));
    table.add(csvLine(row, this.#columns));
    events?.add(scalarsEvent(this.#began / 1000 + row.seconds, row.step, tagged(row)));
    if (performance.now() - this.#flushedAt >= 1000 * flushSeconds) this.#flush();
  }
  /** Before a checkpoint is written: who goes on from it has the rows up to it. */
  upToHere(): void {
    this.#flush();
    for (const log of this.#every) this.#attempt(() => log.sync());
  }
  /** ... and the steps that have none yet. Those of checkpoints before it stay: this one may not come to be whole. */
  stretchAt(open: Stretch | undefined): void {
    if (!open) return;
    this.#stretches = [...this.#stretches.slice(1 - mostStretches), open];
    this.#attempt(() => writeWhole(join(this.path, files.stretches), `${jsonText(this.#stretches)}\n`));
  }
  /** A checkpoint that is whole: `temporary` is a name of it that will go. */
  keep(temporary: string, bytes: Uint8Array, elders: number): void {
    const place = join(this.path, files.checkpoint);
    this.#attempt(() => {
      try {
        linkWhole(fs, place, temporary, elders);
      } catch {
        writeWhole(place, bytes, elders); // another disk, or one without links
      }
    });
  }
  end(report: RunReport, rows: readonly MetricRow[]): void {
    this.#flush();
    this.#attempt(() => writeWhole(join(this.path, files.curves), curvesSvg([{ name: "", rows }])));
    this.#attempt(() => writeWhole(join(this.path, files.report), `${jsonText(report, 2)}\n`));
    if (report.status !== "paused" && report.status !== "failed")
      attempt(() => fs.rmSync(join(this.path, files.stretches), { force: true }));
    this.#flush(); // once more what could not be written
    for (const log of this.#every) this.#attempt(() => log.close());
  }

  get #every(): readonly Log[] {
    const { lines, table, events } = this.#logs;
    return [lines, table, ...(events ? [events] : [])];
  }
  #flush(): void {
    this.#flushedAt = performance.now();
    for (const log of this.#every) this.#attempt(() => log.flush());
  }
  #attempt(write: () => void): void {
    try {
      write();
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      if (!this.#isTold) this.#options.told(error.message);
      this.#isTold = true;
    }
  }
}
const lineOf = (row: MetricRow): string => `${jsonText(row)}\n`;
/** `test/acc`; of batches `batch/loss`. */
const tagged = ({ train, split, values }: MetricRow): Record<string, number> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [`${train}/${split ?? "batch"}/${name}`, value]));
