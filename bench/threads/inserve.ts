import { createServe, transfer } from 'inserve';
import { allRunning } from '../harness/all-running.ts';
import { EchoDeployment } from './deployments.ts';
import type { Implementation } from './session.ts';

/** Against the package by its name, so that what is built and shipped is measured. */
export const inserve: Implementation = async (workers) => {
  const serve = createServe();
  const handle = await serve.run(EchoDeployment.options({ numReplicas: workers }).bind());
  await allRunning(serve);
  return {
    echo: (payload) => handle.echo.remote(payload),
    measure: (bytes) => handle.measure.remote(bytes),
    measureTransferred: (bytes) => handle.measure.remote(transfer(bytes, [bytes])),
    bounce: (bytes) => handle.bounce.remote(transfer(bytes, [bytes])),
    close: () => serve.close(),
  };
};
