// A CommonJS module may require() this package: it has no top-level await.
import { type DeploymentHandle, serve } from 'inserve';

declare class Model {
  call(text: string): number;
}
export const handle: DeploymentHandle<typeof Model> = serve.handle<typeof Model>('Model');
