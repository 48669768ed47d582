// What is replayed, and how it reaches the device. A recording is a program at given dims with its pipelines and bind groups: replaying it allocates
// nothing on the device. An encoding takes its commands and gives them to the device in pieces that no driver finds too long.
import { sizeOf, type Copy, type Dispatch, type PlanBuffer } from "./plan.ts";

export type Recorded = RecordedDispatch | RecordedCopy | RecordedLoop;
export interface RecordedDispatch {
  readonly kind: "dispatch";
  readonly of: Dispatch;
  readonly pipeline: GPUComputePipeline;
  readonly group: RecordedGroup;
  readonly steps: readonly number[]; // buffers of the numbers of rounds that it binds, in the order of their bindings
  readonly x: number;
  readonly y: number;
  readonly seconds: number; // on a slow device, about
}
export interface RecordedCopy extends Omit<Copy, "bytes"> {
  readonly bytes: number;
}
export interface RecordedLoop {
  readonly kind: "loop";
  readonly count: number;
  readonly reverse: boolean;
  readonly stepBuffer: number;
  readonly body: readonly Recorded[];
}
export interface RecordedGroup {
  readonly label: string;
  readonly layout: GPUBindGroupLayout;
  readonly entries: readonly {
    readonly binding: number;
    readonly buffer: number;
    readonly offset: number;
    readonly bytes?: number;
  }[];
  group?: GPUBindGroup;
}
export interface Recording {
  readonly name: string;
  readonly items: readonly Recorded[];
  readonly groups: readonly RecordedGroup[];
  generation: number; // of the buffers that the groups were made for
}
export const roundBytes = 256; // from one round's number to the next in a buffer of steps: where bindings may begin
const mostGroups = 1024; // of a loop's dispatch
/**
 * Does it hold the numbers of a loop of many rounds, each bound by its offset in one group? Those of shorter loops are written out, with groups of their own:
 * software devices run them faster.
 */
export const isLong = ({ role, bytes }: PlanBuffer): boolean =>
  role === "steps" && sizeOf(bytes, {}) > mostGroups * roundBytes;

/** What a dispatch takes on a slow device, about: an integrated GPU, at the share of its speed that kernels reach. */
export const secondsOf = (flops: number, bytes: number): number => 2e-5 + Math.max(flops / 5e10, bytes / 1e10);

const mostCommands = 1024; // a driver holds all commands of a submit at once
const mostSeconds = 0.25; // by the estimate; watchdogs of drivers give a submit two

export class Encoding {
  readonly began = performance.now();
  /** Estimated, of all commands so far. */
  seconds = 0;
  private readonly device: GPUDevice;
  private readonly label: string;
  private readonly pace: number; // seconds of this device for one of the estimate
  private encoder: GPUCommandEncoder;
  private pass: GPUComputePassEncoder | undefined;
  private pipeline: GPUComputePipeline | undefined;
  private group: RecordedGroup | undefined;
  private commands = 0; // of the next submit
  private submitted = 0; // seconds

  private readonly ask: <T>(call: () => T) => T;

  /** `ask` runs what the device may refuse. */
  constructor(device: GPUDevice, label: string, pace: number, ask: <T>(call: () => T) => T = (call) => call()) {
    this.device = device;
    this.ask = ask;
    this.label = label;
    this.pace = pace;
    this.encoder = device.createCommandEncoder({ label });
  }
  /** `offsets` are those of `item.steps`. */
  dispatch(item: RecordedDispatch, offsets: readonly number[]): void {
    this.next(item.seconds);
    this.pass ??= this.encoder.beginComputePass({ label: this.label });
    if (this.pipeline !== item.pipeline) this.pass.setPipeline((this.pipeline = item.pipeline));
    if (this.group !== item.group || offsets.length)
      this.pass.setBindGroup(0, (this.group = item.group).group!, offsets);
    this.pass.dispatchWorkgroups(item.x, item.y);
  }
  /** Without `from`: the bytes become 0. */
  copy(from: GPUBuffer | undefined, at: number, to: GPUBuffer, offset: number, bytes: number): void {
    this.next(secondsOf(0, bytes));
    this.endPass();
    if (from) this.encoder.copyBufferToBuffer(from, at, to, offset, bytes);
    else this.encoder.clearBuffer(to, offset, bytes);
  }
  submit(): void {
    this.ask(() => {
      this.endPass();
      this.device.queue.submit([this.encoder.finish()]);
    });
  }
  private next(seconds: number): void {
    if (
      this.commands === mostCommands ||
      (this.commands && this.pace * (this.seconds + seconds - this.submitted) > mostSeconds)
    ) {
      this.submit();
      this.encoder = this.device.createCommandEncoder({ label: this.label });
      [this.commands, this.submitted] = [0, this.seconds];
    }
    this.commands++;
    this.seconds += seconds;
  }
  private endPass(): void {
    this.pass?.end();
    this.pass = this.pipeline = this.group = undefined;
  }
}
