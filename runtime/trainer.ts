// What a compiled trainer (trainer.mjs) is made of: its plan, with a device and files found by itself, in Node and in browsers.
// In: a plan with its code, where the trainer lies and where its data lay.   Out: a loader of models, and a program for the command line.
// Every `node:` module is imported when called: browsers load this too.
import type { DataFiles, Model, TrainOptions, TrainResult } from "./api.ts";
import { browserDevice } from "./device.ts";
import { fileReason, readRegular } from "./files.ts";
import { decodeInNode, decodeOnPage, listFolder } from "./folders.ts";
import { load } from "./index.ts";
import { openDevice } from "./node.ts";
import type { Plan } from "./plan.ts";
import { RuntimeProblem } from "./problem.ts";
import type { TrainerModel, TrainerOptions } from "./trainer-api.ts";
import { run } from "./program.ts";

export { browserDevice } from "./device.ts"; // for pages

/** Where a trainer comes from. */
export interface Origin {
  readonly url: string; // of trainer.mjs
  readonly data: string; // the folder of the model's file, relative to that of trainer.mjs: "../examples/"
}
export interface Trainer {
  readonly plan: Plan;
  load(options?: TrainerOptions): Promise<TrainerModel>;
  /** Loads, and trains every block in its order. */
  train(
    options?: TrainerOptions & TrainOptions,
  ): Promise<{ readonly model: TrainerModel; readonly results: Readonly<Record<string, TrainResult>> }>;
  /** The command line, if this is the program that Node was started with. */
  start(): Promise<void>;
}

/** A file of the plan's that is not where it could be: somebody may have it elsewhere. */
class MissingFile extends RuntimeProblem {
  readonly path: string;
  constructor(path: string, places: readonly string[], hint: string) {
    super(`${path} was not found; looked for:\n${places.map((place) => `  ${place}`).join("\n")}\n${hint}`);
    this.path = path;
  }
}

const inNode = typeof process === "object" && typeof process.versions?.node === "string";

export function createTrainer(plan: Plan, origin: Origin): Trainer {
  const loadModel = async ({ choose, data, ...options }: TrainerOptions = {}): Promise<TrainerModel> => {
    const opened = options.device ? undefined : inNode ? await openDevice(choose) : await browserDevice();
    const device = options.device ?? opened!.device; // one of both is there
    try {
      const model = await load(plan, {
        ...(inNode ? await filesInNode(origin, data, options.mostFileBytes) : filesOnPage(origin, data)),
        ...options,
        device,
      });
      const close = (): void => {
        model.close();
        opened?.close();
      };
      return Object.assign(Object.create(model) as Model, { device: opened?.facts, close }); // what the model counts stays live
    } catch (error) {
      opened?.close();
      throw error;
    }
  };
  return {
    plan,
    load: loadModel,
    train: async (options = {}) => {
      const model = await loadModel(options);
      const results: Record<string, TrainResult> = {};
      for (const name of model.trains) {
        const result = await model.train(name, options);
        results[name] = result;
        if (result.reason === "paused") break;
      }
      return { model, results };
    },
    start: async () => {
      if (inNode && (await isProgram(origin))) await run(plan, loadModel);
    },
  };
}

async function isProgram(origin: Origin): Promise<boolean> {
  const started = process.argv[1];
  if (!started) return false;
  const [{ realpathSync }, { fileURLToPath }] = await Promise.all([import("node:fs"), import("node:url")]);
  try {
    return realpathSync(started) === realpathSync(fileURLToPath(origin.url));
  } catch {
    return false;
  }
}

/** Files by their path in the model: under the folder given, the working folder, the trainer's folder, and where the model lay when it was compiled. */
async function filesInNode(origin: Origin, data: string | undefined, most: number | undefined): Promise<DataFiles> {
  const [fs, { resolve, dirname }, { fileURLToPath }] = await Promise.all([
    import("node:fs"),
    import("node:path"),
    import("node:url"),
  ]);
  const own = dirname(fileURLToPath(origin.url));
  const folders = [...(data === undefined ? [] : [data]), process.cwd(), own, resolve(own, origin.data)];
  const firstOf = async <T>(path: string, take: (place: string) => T): Promise<T> => {
    const places = [...new Set(folders.map((folder) => resolve(folder, path)))];
    for (const place of places) {
      try {
        return take(place);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code !== "ENOENT" && code !== "ENOTDIR")
          throw new RuntimeProblem(`cannot read ${place}: ${fileReason(error)}`);
      }
    }
    throw new MissingFile(path, places, "--data FOLDER names the folder that the model's paths start from");
  };
  return {
    read: (path) => firstOf(path, (place) => readRegular(fs, place, most)),
    list: (path) => firstOf(path, (place) => listFolder(fs, place)),
    picture: decodeInNode,
  };
}
/** A server lists no folders: `index.json` in it does, an array of the paths below it. */
const filesOnPage = (origin: Origin, data: string | undefined): DataFiles => ({
  read: (path) => fetchFile(origin, path, data),
  list: async (path) => {
    const place = `${path.replace(/\/+$/, "")}/index.json`;
    const names: unknown = JSON.parse(new TextDecoder().decode(await fetchFile(origin, place, data)));
    if (!Array.isArray(names) || !names.every((name): name is string => typeof name === "string"))
      throw new RuntimeProblem(`${place} is no array of the paths of files`);
    return names;
  },
  picture: decodeOnPage,
});

/** Requests that no redirection leads to another server: the browser refuses that for the page's own; of others it tells no place, so they lead nowhere. */
const onOneServer = (place: string): RequestInit =>
  new URL(place).origin === globalThis.location?.origin ? { mode: "same-origin" } : { redirect: "error" };
/** The same on a page: under the address given, beside the trainer, and where the model lay. What the model names on another server is not asked for. */
export async function fetchFile(origin: Origin, path: string, data?: string): Promise<Uint8Array> {
  const folders = [
    ...(data === undefined ? [] : [new URL(data.replace(/\/?$/, "/"), origin.url).href]),
    new URL(".", origin.url).href,
    new URL(origin.data, origin.url).href,
  ];
  const placeIn = (folder: string): string => {
    const place = new URL(path, folder);
    if (place.origin !== new URL(folder).origin)
      throw new RuntimeProblem(
        `${path} is on another server, and a model asks none but its own: give the file by hand`,
      );
    return place.href;
  };
  const places = [...new Set(folders.map(placeIn))];
  for (const place of places) {
    const response = await fetch(place, onOneServer(place)).catch(() => undefined);
    // Some servers answer what they do not have with a page.
    if (response?.ok && !/^text\/html/.test(response.headers.get("content-type") ?? ""))
      return new Uint8Array(await response.arrayBuffer());
  }
  throw new MissingFile(path, places, "the server of this page does not have it: give the file by hand");
}
