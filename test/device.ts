// The WebGPU device of the tests: the embedded one, which every machine has after `npm ci`, unless DLM_DEVICE says otherwise.
// One for each test file (a worker of vitest), opened when first asked for and closed after the file's last test.
import { afterAll } from "vitest";
import { embeddedDriver } from "../compiler/cli/embedded.ts";
import { openDevice, type OpenedDevice } from "../runtime/node.ts";

let opened: Promise<OpenedDevice> | undefined;

export function testDevice(): Promise<OpenedDevice> {
  opened ??= freshDevice();
  return opened;
}
/** For tests that need a device of their own: lost devices, limits. The caller closes it. */
export const freshDevice = (): Promise<OpenedDevice> =>
  openDevice(process.env["DLM_DEVICE"] || "embedded", embeddedDriver);

afterAll(async () => {
  (await opened?.catch(() => undefined))?.close();
  opened = undefined;
}, 60_000); // the driver may still be compiling
