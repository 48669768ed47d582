// Open texts by their addresses, with what they import. In: texts as they change, a host that reads what is not open. Out: questions about each, answered
// once for every version; and questions about several files: what imports a file, references, renaming, diagnostics of imported files.
// An address is a URL as editors give it: "file:///a/b.dlm", "untitled:1". A path in a text counts from the folder of the file.
import type { Diagnostic, Fix, SourceFile, Span } from "../../grammar/diagnostic.ts";
import { position } from "../../grammar/diagnostic.ts";
import type { Definition } from "../elaborate/names.ts";
import { query, type Queries, type TypeAnswer } from "./query.ts";
import type { Inlay } from "./inlays.ts";
import {
  clash,
  definitionAt,
  mentionsOf,
  referencesTo,
  refusedName,
  renamableAt,
  replaced,
  type Refusal,
} from "./references.ts";

export interface Host {
  readonly read: (address: string) => string | undefined; // of a file that is not open
  /** Names of the columns of a data file. */
  readonly columns?: (address: string) => readonly string[] | undefined;
  /** Training rows of the data sets that an open text takes whole, as far as they are known. */
  readonly rows?: (address: string) => Readonly<Record<string, number>> | undefined;
  /** Files that are not open and may import others. */
  readonly files?: () => readonly string[];
}
export interface Located {
  readonly address: string; // of the file; of the library: its name, as "std/layer.dlm"
  readonly isLibrary: boolean;
  readonly span: Span;
}
export interface Workspace {
  readonly put: (address: string, text: string) => void;
  /** What the host knows of an open text has changed: it is looked at anew. */
  readonly renew: (address: string) => void;
  readonly close: (address: string) => void;
  readonly isOpen: (address: string) => boolean;
  readonly open: () => readonly string[];
  /** Of an open text. */
  readonly ask: (address: string) => Queries | undefined;
  /** Types as they were when the text was last elaborated, at their places of now; nothing where none was yet. */
  readonly askEarlier: (address: string) => Earlier | undefined;
  /** Open texts that import this file, through others too. It has changed: they are looked at anew. */
  readonly importersOf: (address: string) => readonly string[];
  /** Elaborates an open text for as long as it is not due; is it done, or closed? */
  readonly elaborateUntil: (address: string, isDue: () => boolean) => boolean;
  /** Every span lies in the text: what is wrong in an imported file is told at its import. */
  readonly diagnostics: (address: string) => readonly Diagnostic[];
  readonly definition: (address: string, offset: number) => (Located & { readonly definition: Definition }) | undefined;
  readonly references: (address: string, offset: number) => readonly Located[];
  readonly rename: (address: string, offset: number, name: string) => readonly Located[] | Refusal;
  readonly locate: (address: string, span: Span) => Located;
  /** The text of a file that an open text imports by this path. */
  readonly textOf: (address: string, path: string) => string | undefined;
}
const unknownRows = 100; // that `batch: all` stands for where nobody says how many there are
export type Earlier = Pick<Queries, "diagnostics" | "inlays" | "typeAt">;

interface Entry {
  readonly address: string;
  readonly text: string;
  readonly queries: Queries;
  readonly imports: Set<string>; // addresses that were looked for
  readonly earlier: Queries | undefined; // elaborated
}

export function openWorkspace(host: Host): Workspace {
  const entries = new Map<string, Entry>();
  const closed = new Map<string, Entry>(); // files that were looked at for others, by their texts
  const read = (address: string): string | undefined => entries.get(address)?.text ?? host.read(address);
  const entryOf = (address: string, text: string, earlier?: Queries): Entry => {
    const imports = new Set<string>();
    const queries = query(text, {
      name: nameOf(address),
      pedantic: true,
      rows: host.rows?.(address) ?? {},
      unknownRows,
      earlier,
      imports: (path) => {
        const found = resolved(address, path);
        if (found === undefined) return undefined;
        imports.add(found);
        return read(found);
      },
      columns: (path) => {
        const found = resolved(address, path);
        return found === undefined ? undefined : host.columns?.(found);
      },
    });
    return { address, text, queries, imports, earlier };
  };
  /** A text, open or not. */
  const entry = (address: string): Entry | undefined => {
    const open = entries.get(address);
    if (open) return open;
    const text = host.read(address);
    if (text === undefined) return undefined;
    let found = closed.get(address);
    if (found?.text !== text) closed.set(address, (found = entryOf(address, text)));
    return found;
  };
  const anew = (e: Entry): void => {
    entries.set(e.address, entryOf(e.address, e.text, lastElaborated(e)));
  };
  const locate = (address: string, span: Span): Located => ({
    address: span.file.library ? span.file.name : (addressOf(address, span.file) ?? address),
    isLibrary: span.file.library === true,
    span,
  });
  const definition: Workspace["definition"] = (address, offset) => {
    const e = entry(address);
    const found = e && definitionAt(e.queries.document, offset);
    return found && { ...locate(address, found.span), definition: found };
  };
  /** Every text that names what is bound there, with its spans. */
  const uses = (address: string, offset: number): { entry: Entry; spans: readonly Span[] }[] => {
    const target = definition(address, offset);
    if (!target) return [];
    const { name, span } = target.definition;
    const others = [...entries.keys(), ...(host.files?.() ?? []), address, target.address];
    const candidates = target.isLibrary ? [address] : [...new Set(others)];
    return candidates.flatMap((a) => {
      const e = a === address || a === target.address || read(a)?.includes(name) ? entry(a) : undefined;
      if (!e) return [];
      // the same place, as this text calls its file
      const { names, file } = e.queries.document;
      const own = names.uses.find(
        (u) => u.definition && u.name === name && isSame(locate(a, u.definition.span), target),
      );
      const there = a === target.address ? { ...span, file: file.source } : own?.definition?.span;
      const spans = there || a === address ? referencesTo(e.queries.document, { name, span: there ?? span }) : [];
      return spans.length ? [{ entry: e, spans }] : [];
    });
  };
  return {
    put: (address, text) => {
      const before = entries.get(address);
      if (before?.text !== text) entries.set(address, entryOf(address, text, before && lastElaborated(before)));
      closed.delete(address);
    },
    renew: (address) => {
      const e = entries.get(address);
      if (e) anew(e);
    },
    close: (address) => {
      entries.delete(address);
      closed.clear();
    },
    isOpen: (address) => entries.has(address),
    open: () => [...entries.keys()],
    ask: (address) => entries.get(address)?.queries,
    askEarlier: (address) => {
      const e = entries.get(address);
      return e?.earlier && movedTo(e.text, e.earlier);
    },
    importersOf: (address) => {
      const others = [...entries.values()].filter((e) => e.address !== address);
      for (const e of others) e.queries.document.imported();
      const found = others.filter((e) => e.imports.has(address));
      closed.clear();
      found.forEach(anew);
      return found.map((e) => e.address);
    },
    elaborateUntil: (address, isDue) => entries.get(address)?.queries.document.elaborateUntil(isDue) ?? true,
    diagnostics: (address) => {
      const e = entries.get(address);
      return e ? e.queries.diagnostics.map((d) => atImport(d, e.queries)) : [];
    },
    definition,
    references: (address, offset) => {
      const target = definition(address, offset);
      const found = uses(address, offset).flatMap(({ entry: e, spans }) => spans.map((s) => locate(e.address, s)));
      return target?.isLibrary ? [target, ...found.filter((f) => !isSame(f, target))] : found;
    },
    rename: (address, offset, name) => {
      const e = entry(address);
      if (!e) return { refused: "this file is not open" };
      const renamable = renamableAt(e.queries.document, offset);
      if ("refused" in renamable) return renamable;
      const target = definition(address, offset);
      const refused = target && refusedName(target.definition, name);
      if (!target || refused) return refused ?? { refused: "there is no name here" };
      if (name === target.definition.name) return [];
      const found = uses(address, offset).map((u) =>
        u.entry.address === target.address
          ? { ...u, spans: [...u.spans, ...mentionsOf(u.entry.queries.document, target.definition)] }
          : u,
      );
      const texts = new Map(found.map(({ entry: x, spans }) => [x.address, replaced(x.text, spans, name)]));
      for (const { entry: x, spans } of found) {
        const text = texts.get(x.address)!;
        const after = query(text, {
          name: nameOf(x.address),
          imports: (path) => {
            const a = resolved(x.address, path);
            return a === undefined ? undefined : (texts.get(a) ?? read(a));
          },
        });
        const inTheWay = clash(x.queries.document, after.document, spans, name, target.definition);
        if (inTheWay) return inTheWay;
      }
      return found.flatMap(({ entry: x, spans }) => spans.map((s) => locate(x.address, s)));
    },
    locate,
    textOf: (address, path) => {
      const found = resolved(address, path);
      return found === undefined ? undefined : read(found);
    },
  };
}
const isSame = (a: Located, b: Located): boolean => a.address === b.address && a.span.start === b.span.start;
const lastElaborated = (e: Entry): Queries | undefined => (e.queries.document.isElaborated() ? e.queries : e.earlier);

// ---- addresses

/** What messages call the file. */
function nameOf(address: string): string {
  const last = address.slice(address.lastIndexOf("/") + 1);
  try {
    return decodeURIComponent(last) || "model.dlm";
  } catch {
    return last; // a % that encodes nothing
  }
}
function resolved(address: string, path: string): string | undefined {
  try {
    return new URL(path.split("/").map(encodeURIComponent).join("/"), address).href;
  } catch {
    return undefined; // a text without a folder
  }
}
const addressOf = (address: string, file: SourceFile): string | undefined =>
  file.name === nameOf(address) ? address : resolved(address, file.name);

// ---- what is wrong elsewhere

function atImport(d: Diagnostic, { document }: Queries): Diagnostic {
  const { source, items } = document.file;
  if (d.span.file === source) return d;
  const start = { file: source, start: 0, end: 0 };
  if (d.span.file.name === source.name && d.span.file.text === source.text)
    return { ...d, span: { ...d.span, file: source } };
  const imports = items.flatMap((i) => (i.kind === "import" ? [i] : []));
  const at = imports.find((i) => i.path === d.span.file.name) ?? imports[0];
  const { line } = position(d.span.file, d.span.start);
  const { fixes: _, ...told } = d;
  return {
    ...told,
    span: at?.span ?? start,
    message: `${d.span.file.name}:${line}: ${d.message}`,
    labels: [{ span: d.span, text: d.message }, ...(d.labels ?? [])],
  };
}

// ---- an earlier text at the places of now

/** One stretch was replaced: offsets before it stay, those behind it move. */
function movedTo(text: string, earlier: Queries): Earlier {
  const { source } = earlier.document.file;
  const was = source.text;
  const most = Math.min(was.length, text.length);
  let same = 0;
  while (same < most && was[same] === text[same]) same += 1;
  let end = 0;
  while (end < most - same && was[was.length - 1 - end] === text[text.length - 1 - end]) end += 1;
  const by = text.length - was.length;
  const toNow = (offset: number): number | undefined =>
    offset <= same ? offset : offset >= was.length - end ? offset + by : undefined;
  const toThen = (offset: number): number | undefined =>
    offset <= same ? offset : offset >= text.length - end ? offset - by : undefined;
  const now: SourceFile = { ...source, text };
  const spanNow = (span: Span): Span | undefined => {
    if (span.file !== source) return span;
    const [a, b] = [toNow(span.start), toNow(span.end)];
    return a === undefined || b === undefined ? undefined : { file: now, start: a, end: b };
  };
  const editsNow = (edits: Fix["edits"]): Fix["edits"] | undefined => {
    const moved = edits.flatMap(({ span, text: by }) => {
      const now = spanNow(span);
      return now ? [{ span: now, text: by }] : [];
    });
    return moved.length === edits.length ? moved : undefined;
  };
  return {
    get diagnostics() {
      return earlier.diagnostics.flatMap((d): Diagnostic[] => {
        const span = spanNow(d.span);
        if (!span) return [];
        const fixes = (d.fixes ?? []).flatMap(({ title, edits }) => {
          const now = editsNow(edits);
          return now ? [{ title, edits: now }] : [];
        });
        return [{ ...d, span, ...(d.fixes ? { fixes } : {}) }];
      });
    },
    inlays: (from = 0, to = Infinity) =>
      earlier.inlays().flatMap((i): Inlay[] => {
        const offset = toNow(i.offset);
        return offset === undefined || offset < from || offset > to ? [] : [{ ...i, offset }];
      }),
    typeAt: (offset): TypeAnswer | undefined => {
      const then = toThen(offset);
      const found = then === undefined ? undefined : earlier.typeAt(then);
      const span = found && spanNow(found.span);
      if (!found || !span) return undefined;
      const names = found.names.flatMap((n) => {
        const own = spanNow(n.span);
        return own ? [{ ...n, span: own }] : [];
      });
      return { ...found, span, names };
    },
  };
}
