// A process that opens a device and prints its class; it does not close it, and has to end all the same. With `kept`, of what came with the
// device only the device is kept, while everything else is collected: it has to work on.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { embeddedDriver } from "../../compiler/cli/embedded.ts";
import { DeviceUnavailable, openDevice } from "../../runtime/node.ts";

const deviceAlone = async (name: string): Promise<GPUDevice> => (await openDevice(name, embeddedDriver)).device;
try {
  if (process.argv[3] === "kept") {
    const device = await deviceAlone(process.argv[2]!);
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    for (let i = 0; i < 10; i++) {
      collect();
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const module = device.createShaderModule({ code: "@compute @workgroup_size(1) fn main() {}" });
    await device.createComputePipelineAsync({ layout: "auto", compute: { module } });
    await device.queue.onSubmittedWorkDone();
    console.log("kept");
    device.destroy();
  } else console.log((await openDevice(process.argv[2], embeddedDriver)).facts.class);
} catch (error) {
  if (!(error instanceof DeviceUnavailable)) throw error;
  console.log(error.message);
  process.exitCode = 1;
}
