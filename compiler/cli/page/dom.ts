// What every part of the page is made of: elements, and numbers as people read them. In: names, texts, numbers. Out: elements, texts.
// Texts are set as texts, never as HTML: whatever a model or its data are called stays what it is.

/** An element of page.html, by its id. */
export function element<K extends keyof HTMLElementTagNameMap>(id: string, tag: K): HTMLElementTagNameMap[K];
export function element(id: string): HTMLElement;
export function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page lacks #${id}`);
  return found;
}
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  text?: string,
  attributes: Partial<Omit<HTMLElementTagNameMap[K], "style">> = {},
  children: readonly (Node | string)[] = [],
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  Object.assign(made, attributes);
  made.append(...children);
  return made;
}
export const box = (className: string, ...children: readonly (Node | string)[]): HTMLDivElement =>
  make("div", undefined, { className }, children);
export function button(text: string, act: () => void, className = ""): HTMLButtonElement {
  const made = make("button", text, { type: "button", className });
  made.addEventListener("click", act);
  return made;
}
let made = 0;
export const newId = (what: string): string => `${what}${++made}`;
/** A control under its name. */
export const labelled = (text: string, control: HTMLElement): HTMLLabelElement =>
  make("label", undefined, { className: "field" }, [text, control]);

export const figure = (x: number): string =>
  !Number.isFinite(x)
    ? String(x)
    : x !== 0 && (Math.abs(x) < 1e-3 || Math.abs(x) >= 1e5)
      ? x.toExponential(2)
      : x.toFixed(4);
/** In as few characters as say it. */
export const short = (x: number): string =>
  x === 0 || !Number.isFinite(x)
    ? String(x)
    : Math.abs(x) >= 1e5 || Math.abs(x) < 1e-3
      ? x.toExponential(0).replace("e+", "e")
      : String(Number(x.toPrecision(3)));
/** The least and the greatest of however many; an empty list has neither. */
export function endsOf(values: ArrayLike<number>): [low: number, high: number] {
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < values.length; i++) {
    low = Math.min(low, values[i]!);
    high = Math.max(high, values[i]!);
  }
  return [low, high];
}
const numbers = new Intl.NumberFormat("en");
export const whole = (n: number): string => numbers.format(n);
export const bytes = (n: number): string =>
  n < 1024 ? `${n} B` : n < 2 ** 20 ? `${(n / 1024).toFixed(1)} kB` : `${(n / 2 ** 20).toFixed(1)} MB`;
export function clock(s: number): string {
  if (!Number.isFinite(s)) return "–:––";
  const seconds = Math.max(0, Math.round(s));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
export const color = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name);
export const fontFamily = (): string => getComputedStyle(document.body).fontFamily;

/** A canvas as large as it is shown, in its own pixels; what is drawn on it counts in those of the page. Nothing where it is not shown. */
export function paper(
  canvas: HTMLCanvasElement,
): { readonly g: CanvasRenderingContext2D; readonly width: number; readonly height: number } | undefined {
  const [scale, width, height] = [devicePixelRatio || 1, canvas.clientWidth, canvas.clientHeight];
  const g = canvas.getContext("2d");
  if (!width || !height || !g) return undefined;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  g.setTransform(scale, 0, 0, scale, 0, 0);
  g.clearRect(0, 0, width, height);
  return { g, width, height };
}
/** Gives `set` the places of a pointer that is held down, from where it begins. */
export function dragged(canvas: HTMLCanvasElement, set: (event: PointerEvent) => void): void {
  canvas.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    canvas.focus({ preventScroll: true });
    set(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (canvas.hasPointerCapture(event.pointerId)) set(event);
  });
}
/** Calls `paint` once before the next frame, however often it is asked; also when the size or the theme changes. */
export function painter(canvas: HTMLCanvasElement, paint: () => void): () => void {
  let wanted = false;
  const draw = (): void => {
    if (!wanted)
      requestAnimationFrame(() => {
        wanted = false;
        paint();
      });
    wanted = true;
  };
  new ResizeObserver(draw).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  return draw;
}
export const say = (text: string): void => {
  if (element("state").textContent !== text) element("state").textContent = text;
};

/** What went wrong, in words where the program knows it. */
export function problem(title: string, error: unknown): void {
  const named = error instanceof Error ? error : undefined;
  const known = named !== undefined && ["RuntimeProblem", "DeviceUnavailable"].includes(named.name);
  element("problem-title").textContent = title;
  element("problem-text").textContent =
    known || typeof error === "string"
      ? String(known ? named.message : error).replace(/^[a-z](?=[a-z']* )/, (c) => c.toUpperCase())
      : `This is a fault of the program, not of the page's visitor: ${named?.stack ?? String(error)}`;
  element("problem").hidden = false;
  if (!known && typeof error !== "string") console.error(error);
}
export const noProblem = (): void => {
  element("problem").hidden = true;
};
export function download(name: string, content: Uint8Array): void {
  const link = make("a", undefined, { href: URL.createObjectURL(new Blob([content.slice()])), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
