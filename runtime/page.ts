// What a compiled trainer has on a page: the browser's device, files of the page's own server, checkpoints in IndexedDB.
import type { DataFiles, Picture } from "./api.ts";
import { browserDevice } from "./device.ts";
import type { Claim, SharedStore } from "./kept.ts";
import type { Plan } from "./plan.ts";
import { messageOf, RuntimeProblem } from "./problem.ts";
import { MissingFile, type Host, type Origin } from "./lasting.ts";

export { browserDevice };

/** In pages and in their workers. */
export const host: Host = { open: browserDevice, files: filesOnPage, read: readPlace, weights: fetchFile, store };

/** Of the page, or of the worker's program. */
const pageUrl = (): string | undefined =>
  (globalThis.document as Document | undefined)?.baseURI ?? (globalThis.location as Location | undefined)?.href;
/** Of the trainer. A bundler may give a place on the machine that it ran on, which says nothing here. */
const ownUrl = ({ url }: Origin): string => (url !== undefined && /^https?:/.test(url) ? url : (pageUrl() ?? ""));

/** A server lists no folders: `index.json` in it does, an array of the paths below it. */
export function filesOnPage(origin: Origin, data: string | undefined): DataFiles {
  return {
    read: (path) => fetchFile(origin, path, data),
    list: async (path) => {
      const folder = path.replace(/\/+$/, "");
      const moved = Object.keys(origin.files ?? {}).filter((name) => name.startsWith(`${folder}/`));
      if (moved.length && data === undefined) return moved.map((name) => name.slice(folder.length + 1));
      const place = `${folder}/index.json`;
      const names: unknown = JSON.parse(new TextDecoder().decode(await fetchFile(origin, place, data)));
      if (!Array.isArray(names) || !names.every((name): name is string => typeof name === "string"))
        throw new RuntimeProblem(`${place} is no array of the paths of files`);
      return names;
    },
    picture: decodeOnPage,
  };
}

/** Requests that no redirection leads to another server: the browser refuses that for the page's own; of others it tells no place, so they lead nowhere. */
const onOneServer = (place: string): RequestInit =>
  new URL(place).origin === globalThis.location?.origin ? { mode: "same-origin" } : { redirect: "error" };
/** The bytes at an address, if the server has them. Some servers answer what they do not have with a page. */
async function fetched(place: string): Promise<Uint8Array | "a page" | undefined> {
  const response = await fetch(place, onOneServer(place)).catch(() => undefined);
  if (!response?.ok) return undefined;
  if (/^text\/html/.test(response.headers.get("content-type") ?? "")) return "a page";
  return new Uint8Array(await response.arrayBuffer());
}
/** A file by its path in the model: under the address given, beside the trainer, where the model lay, beside the page. What the model names on another server is not asked for. */
export async function fetchFile(origin: Origin, path: string, data?: string): Promise<Uint8Array> {
  const own = ownUrl(origin);
  const page = pageUrl();
  const moved = origin.files?.[path];
  const folders = [
    ...(data === undefined ? [] : [new URL(data.replace(/\/?$/, "/"), own).href]),
    new URL(".", own).href,
    ...(origin.data === undefined ? [] : [new URL(origin.data, own).href]),
    ...(page === undefined ? [] : [new URL(".", page).href]),
  ];
  const placeIn = (folder: string): string => {
    const place = new URL(path, folder);
    if (place.origin !== new URL(folder).origin)
      throw new RuntimeProblem(
        `${path} is on another server, and a model asks none but its own: give the file by hand`,
      );
    return place.href;
  };
  const places = [
    ...new Set(moved !== undefined && data === undefined ? [new URL(moved, own).href] : folders.map(placeIn)),
  ];
  for (const place of places) {
    const found = await fetched(place);
    if (typeof found === "object") return found;
  }
  throw new MissingFile(path, places, "the server of this page does not have it: give the file by hand");
}
/** What the program names, wherever it lies. */
async function readPlace(place: string | URL): Promise<Uint8Array> {
  const { href } = new URL(place, pageUrl());
  const found = await fetched(href);
  if (typeof found === "object") return found;
  const answer =
    found === undefined
      ? "no server answers with it"
      : "its server answers with a web page: the file is elsewhere, or not there";
  throw new MissingFile(String(place), [href], answer);
}

/** What the browser itself reads, without colour management. */
async function decodeOnPage(bytes: Uint8Array): Promise<Picture> {
  const bitmap = await createImageBitmap(new Blob([bytes as Uint8Array<ArrayBuffer>]), {
    colorSpaceConversion: "none",
    premultiplyAlpha: "none",
  });
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d");
  if (!context) throw new RuntimeProblem("this browser has no canvas to decode it on");
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, width, height);
}

// ---- checkpoints, in the database of the page's origin

const table = "checkpoints";
interface Entry {
  readonly model: string; // which model it is of: one whose text has changed begins anew
  readonly bytes: Uint8Array;
}
function store(plan: Plan, name = plan.name, fitting = false): SharedStore {
  const model = hashOf(plan);
  let isOther = false;
  return {
    get isOther() {
      return isOther;
    },
    read: async () => {
      const kept = await inTable<Entry | undefined>("readonly", (t) => t.get(name));
      isOther = kept !== undefined && kept.model !== (await model);
      return isOther && !fitting ? undefined : kept?.bytes;
    },
    write: async (bytes) => {
      const kept: Entry = { model: await model, bytes };
      await inTable("readwrite", (t) => t.put(kept, name));
    },
    remove: () => inTable("readwrite", (t) => t.delete(name)),
    claim: () => claim(`dlm ${name}`),
  };
}
/** Of one page or worker of the origin at a time. Where there are no locks, nobody knows of others. */
function claim(name: string): Claim {
  const { locks } = navigator as { readonly locks?: LockManager };
  if (!locks) return { granted: Promise.resolve(), release: () => {} };
  const waiting = new AbortController();
  let release = (): void => {};
  const granted = new Promise<void>((resolve) => {
    const held = new Promise<void>((end) => (release = end));
    locks
      .request(name, { signal: waiting.signal }, () => {
        resolve();
        return held;
      })
      .catch(() => resolve()); // they are refused here, or it is waited for no longer
  });
  return {
    granted,
    release: () => {
      waiting.abort();
      release();
    },
  };
}
async function hashOf(plan: Plan): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(plan)));
  return String(new Uint8Array(hash));
}
function inTable<T>(mode: IDBTransactionMode, ask: (table: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const failed = (error: unknown): void =>
      reject(new RuntimeProblem(`the browser keeps no checkpoint: ${messageOf(error)}`));
    const { indexedDB } = globalThis as { readonly indexedDB?: IDBFactory }; // some browsers have none in private windows
    if (!indexedDB) return failed("it has no IndexedDB here");
    let opening: IDBOpenDBRequest;
    try {
      opening = indexedDB.open("dlm", 1);
    } catch (error) {
      return failed(error); // the visitor lets no page keep anything
    }
    opening.onupgradeneeded = () => void opening.result.createObjectStore(table);
    opening.onerror = () => failed(opening.error);
    opening.onsuccess = () => {
      const base = opening.result;
      try {
        const transaction = base.transaction(table, mode);
        const asked = ask(transaction.objectStore(table));
        transaction.oncomplete = () => resolve(asked.result); // it is on the disk as far as the browser says
        transaction.onabort = () => failed(transaction.error ?? asked.error);
      } catch (error) {
        failed(error); // a listener that throws is heard by nobody
      } finally {
        base.close(); // after the transaction
      }
    };
  });
}
