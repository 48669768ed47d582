// A process that opens a device and prints its class; it does not close it, and has to end all the same.
import { embeddedDriver } from "../../compiler/cli/embedded.ts";
import { DeviceUnavailable, openDevice } from "../../runtime/node.ts";

try {
  console.log((await openDevice(process.argv[2], embeddedDriver)).facts.class);
} catch (error) {
  if (!(error instanceof DeviceUnavailable)) throw error;
  console.log(error.message);
  process.exitCode = 1;
}
