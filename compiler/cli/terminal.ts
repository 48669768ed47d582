// What the command line prints: colours and a live line only on a terminal, plain lines otherwise.

import { stripVTControlCharacters } from "node:util";
import { fileReason } from "../../runtime/files.ts";

let whenLost: ((reason: string) => void) | undefined;
/**
 * A stream of output takes no more: whoever read it has gone, or the disk is full. What only prints ends; what does more than that says with `onOutputLost`
 * what is to be done instead.
 */
export function outputLost(isResult: boolean, error: NodeJS.ErrnoException): void {
  const reason = error.code === "EPIPE" ? "nobody reads it any more" : fileReason(error);
  if (!isResult) return; // remarks on standard error are not worth the run
  if (whenLost) return whenLost(reason);
  if (error.code === "EPIPE") process.exit(141); // as a program that SIGPIPE ended: what it had to say was not read to its end
  process.stderr.write(`dlm: cannot write to standard output: ${reason}\n`);
  process.exit(1);
}
export function onOutputLost(run: ((reason: string) => void) | undefined): void {
  whenLost = run;
}

export interface Terminal {
  readonly color: boolean; // of standard output
  readonly errorColor: boolean;
  readonly live: boolean; // may a line be rewritten?
  readonly width: number;
  line(text?: string): void; // to standard output
  note(text: string): void; // to standard error
  update(text: string): void; // the live line; nothing where there is none
  endUpdate(): void;
}

export function openTerminal(json: boolean): Terminal {
  const live = !json && process.stderr.isTTY === true && process.env["TERM"] !== "dumb" && !process.env["CI"];
  const colored = (stream: NodeJS.WriteStream): boolean =>
    !json && stream.isTTY === true && !process.env["NO_COLOR"] && process.env["TERM"] !== "dumb";
  let shown = false;
  const clear = (): void => {
    if (shown) process.stderr.write("\r\x1b[K");
    shown = false;
  };
  return {
    color: colored(process.stdout),
    errorColor: colored(process.stderr),
    live,
    get width() {
      return process.stderr.columns || 100;
    },
    line(text = "") {
      clear();
      process.stdout.write(text + "\n");
    },
    note(text) {
      clear();
      process.stderr.write(text + "\n");
    },
    update(text) {
      if (!live) return;
      const plain = stripVTControlCharacters(text);
      process.stderr.write("\r\x1b[K" + (plain.length >= this.width ? plain.slice(0, this.width - 2) + "…" : text));
      shown = true;
    },
    endUpdate: clear,
  };
}

const code =
  (on: boolean, open: number, close: number) =>
  (text: string): string =>
    on ? `\x1b[${open}m${text}\x1b[${close}m` : text;
export function styles(
  color: boolean,
): Record<"bold" | "dim" | "green" | "red" | "yellow" | "cyan", (text: string) => string> {
  return {
    bold: code(color, 1, 22),
    dim: code(color, 2, 22),
    green: code(color, 32, 39),
    red: code(color, 31, 39),
    yellow: code(color, 33, 39),
    cyan: code(color, 36, 39),
  };
}

/** `███████▌      ` of the given width for a share in 0..1. */
export function bar(share: number, width: number): string {
  const eighths = Math.round(Math.max(0, Math.min(1, share)) * width * 8);
  const full = "█".repeat(Math.floor(eighths / 8));
  const rest = eighths % 8 ? " ▏▎▍▌▋▊▉"[eighths % 8]! : "";
  return (full + rest).padEnd(width);
}
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "--:--";
  const s = Math.max(0, Math.round(seconds));
  const two = (n: number): string => String(n).padStart(2, "0");
  return s >= 3600
    ? `${Math.floor(s / 3600)}:${two(Math.floor((s % 3600) / 60))}:${two(s % 60)}`
    : `${two(Math.floor(s / 60))}:${two(s % 60)}`;
}
/** Four significant digits, without noise. */
export function numberText(x: number): string {
  if (!Number.isFinite(x)) return String(x);
  if (x !== 0 && (Math.abs(x) < 1e-3 || Math.abs(x) >= 1e5)) return x.toExponential(3);
  return x.toFixed(Math.abs(x) >= 100 ? 1 : 4);
}
