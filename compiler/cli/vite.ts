// A plugin for Vite: `import { predict, train } from "./model.dlm"`. In: a .dlm file that a site imports.   Out: a module with its plan, kernels and runtime;
// the files that it reads, as assets of the site; its types, in model.d.dlm.ts beside it. What is wrong with the text is told with its place.
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import type { Plugin } from "vite";
import { position, type Diagnostic } from "../../grammar/diagnostic.ts";
import { renderDiagnostic } from "../../grammar/render.ts";
import { readRegular, writeWhole } from "../../runtime/files.ts";
import { listFolder } from "../../runtime/folders.ts";
import type { Plan } from "../../runtime/plan.ts";
import { messageOf } from "../../runtime/problem.ts";
import { checkWeights } from "../../runtime/session.ts";
import { builtParts } from "./artifacts.ts";
import { classes } from "./compile.ts";
import { compileModel, type ModelFile, type ModelFlags } from "./model.ts";
import {
  siteModule,
  siteOther,
  siteRuntime,
  siteRuntimeInNode,
  trainerTypes,
  type SiteFiles,
  type TrainerParts,
} from "./trainer.ts";

export interface DlmOptions {
  /** What kernels are scheduled for: software (any device), integrated (GPUs beside the CPU), discrete (graphics cards), lavapipe or swiftshader. Default: the first three, of which a visitor's device takes its own. */
  readonly target?: string | readonly string[];
  /** Other values of consts and settings, as `dlm compile --set name=value` has them. */
  readonly set?: Readonly<Record<string, string | number>>;
  /** A folder in which data files are looked for first; then in the model's own. */
  readonly data?: string;
  /** false: model.d.dlm.ts is not written. */
  readonly types?: boolean;
  /** What the site is made of in place of the build's parts. */
  readonly parts?: TrainerParts;
}

const [page, server, otherPrefix] = ["\0dlm:runtime", "\0dlm:runtime-in-node", "\0dlm:for:"];

export default function dlm(options: DlmOptions = {}): Plugin {
  let isBuild = false;
  let root = process.cwd();
  let built: TrainerParts | undefined;
  const others = new Map<string, readonly Modules[]>(); // for further targets, by model: as it is, and as it was for a page that is loading
  const parts = (): TrainerParts => (built ??= options.parts ?? builtParts());
  const flags: ModelFlags = {
    ...(options.set ? { set: Object.fromEntries(Object.entries(options.set).map(([k, v]) => [k, String(v)])) } : {}),
    ...(options.data === undefined ? {} : { data: options.data }),
  };
  return {
    name: "dlm",
    enforce: "pre",
    configResolved: (config) => {
      isBuild = config.command === "build";
      root = config.root;
    },
    resolveId: (id) => (id === page || id === server || id.startsWith(otherPrefix) ? id : undefined),
    load: (id) =>
      id === page
        ? siteRuntime(parts())
        : id === server
          ? siteRuntimeInNode(parts(), page)
          : [...others.values()]
              .flat()
              .find((modules) => modules.has(id))
              ?.get(id),
    async transform(text, id, { ssr = false } = {}) {
      if (!id.endsWith(".dlm")) return undefined;
      const read = new Set<string>();
      const model: ModelFile = {
        path: id,
        name: basename(id),
        folder: dirname(id),
        text,
        files: read,
      };
      const compilation = await compileModel(model, flags, options.target ?? classes).finally(() =>
        read.forEach((place) => place !== id && this.addWatchFile(place)),
      );
      const told = compilation.diagnostics.map((d) => logOf(d, model));
      const errors = told.filter((_, i) => compilation.diagnostics[i]!.severity === "error");
      for (const [i, log] of told.entries()) if (compilation.diagnostics[i]!.severity === "warning") this.warn(log);
      const { plan, further } = compilation;
      if (!plan) {
        const [first, ...more] = errors;
        if (!first) throw new Error(`${id} has no plan, and nothing says why`);
        const places = more.map(
          ({ loc, message }) => `\n${basename(loc.file)}:${loc.line}:${loc.column + 1}  ${message}`,
        );
        return this.error({ ...first, message: first.message + places.join("") });
      }
      const found = filesOf(plan, model, options.data);
      for (const path of found.missing)
        this.warn(`${id}: ${path} is not there; the page will ask for it beside its own address`);
      for (const place of Object.values(found.places)) this.addWatchFile(place);
      const weights = weightsOf(plan, model);
      if (weights) this.addWatchFile(weights.place);
      if (weights?.problem !== undefined) {
        const message = `${weights.place} is not loaded by default: ${weights.problem}`;
        if (isBuild) return this.error({ message, id });
        this.warn(message);
      }
      const trained = weights && weights.problem === undefined ? basename(weights.place) : undefined;
      if (weights && trained !== undefined) found.places[trained] = weights.place;
      if (options.types !== false) writeTypes(id, trainerTypes(plan, parts()));
      const modules: Record<string, string> = {};
      const texts = new Map<string, string>();
      for (const { plan: other } of further) {
        if (!other) continue; // what is wrong with it is told of the first
        const code = siteOther(plan, other);
        const hash = createHash("sha256").update(code).digest("hex").slice(0, 8); // a changed one is another module
        const module = `${otherPrefix}${other.target}:${id}:${hash}`;
        texts.set(module, code);
        modules[other.target] = module;
      }
      const before = others.get(id)?.find((old) => [...texts.keys()].some((module) => !old.has(module)));
      others.set(id, before ? [texts, before] : [texts]);
      const files = ssr ? onServer(found, isBuild ? root : undefined) : onPage(found, model.folder);
      return {
        code: siteModule(plan, modules, ssr ? server : page, { ...files, weights: trained }, ssr),
        map: { mappings: "" },
      };
    },
  };
}

/** Texts by the names of modules. */
type Modules = ReadonlyMap<string, string>;
/** A diagnostic as Rollup and Vite's overlay show one. */
function logOf(
  d: Diagnostic,
  model: ModelFile,
): { message: string; id: string; loc: { file: string; line: number; column: number }; frame: string } {
  const { name, library } = d.span.file;
  const file = name === model.name || library ? model.path : resolve(model.folder, name);
  const { line, column } = position(d.span.file, d.span.start);
  const [, ...frame] = renderDiagnostic(d, { color: false }).split("\n");
  return {
    message: `${d.code}: ${d.message}`,
    id: file,
    loc: { file, line, column: column - 1 },
    frame: frame.join("\n"),
  };
}

interface FoundFiles {
  readonly places: Record<string, string>; // by their paths in the model
  readonly folders: Readonly<Record<string, string>>;
  readonly missing: readonly string[];
}
/** Where the data and weights lie that the plan names. */
function filesOf(plan: Plan, model: ModelFile, data: string | undefined): FoundFiles {
  const loaders = plan.datasets.flatMap((d) => d.columns.map((c) => c.loader));
  const paths = new Set([
    ...loaders.flatMap((loader) => ("path" in loader ? [loader.path] : [])),
    ...plan.trains.flatMap((t) => (t.load ?? []).map(({ path }) => path)),
  ]);
  const places: Record<string, string> = {};
  const folders: Record<string, string> = {};
  const missing: string[] = [];
  for (const path of paths) {
    const candidates = [...(data === undefined ? [] : [data]), model.folder].map((folder) => resolve(folder, path));
    const place = candidates.find((candidate) => fs.existsSync(candidate));
    if (place === undefined) missing.push(path);
    else if (fs.statSync(place).isDirectory()) {
      folders[path] = place;
      for (const name of listFolder(fs, place)) places[`${path.replace(/\/+$/, "")}/${name}`] = join(place, name);
    } else places[path] = place;
  }
  return { places, folders, missing };
}
/** model.safetensors beside model.dlm, as `dlm train` leaves it. */
function weightsOf(plan: Plan, model: ModelFile): { readonly place: string; readonly problem?: string } | undefined {
  const place = model.path.replace(/\.dlm$/, ".safetensors");
  if (!fs.existsSync(place)) return undefined;
  try {
    checkWeights(plan, readRegular(fs, place, Infinity));
    return { place };
  } catch (error) {
    return { place, problem: messageOf(error) };
  }
}

/** Imports that Vite makes addresses of, in development and in the site that it builds. */
function onPage({ places }: FoundFiles, folder: string): SiteFiles {
  const entries = Object.entries(places);
  const imports = entries.map(([, place], i) => {
    const path = relative(folder, place).replaceAll("\\", "/");
    return `import file${i} from ${JSON.stringify(`${path.startsWith("../") ? path : `./${path}`}?url&no-inline`)};`;
  });
  return { imports, files: Object.fromEntries(entries.map(([path], i) => [path, `file${i}`])) };
}
/** Paths on the disk: from the site's folder in what is built, for the machine of its author is not that of the server. */
function onServer({ places, folders }: FoundFiles, root: string | undefined): SiteFiles {
  const pathOf = (place: string): string =>
    JSON.stringify(root === undefined ? place : relative(root, place).replaceAll("\\", "/"));
  const all = Object.entries({ ...places, ...folders });
  return { imports: [], files: Object.fromEntries(all.map(([path, place]) => [path, pathOf(place)])) };
}

/** TypeScript looks for the types of model.dlm in model.d.dlm.ts, where the option allowArbitraryExtensions is set. */
function writeTypes(model: string, types: string): void {
  const place = model.replace(/\.dlm$/, ".d.dlm.ts");
  const old = fs.existsSync(place) ? fs.readFileSync(place, "utf8") : undefined;
  if (old !== types) writeWhole(fs, place, types);
}
