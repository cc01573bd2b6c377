import { deployment } from 'inserve';

class Idle {
  call() {
    return null;
  }
}

export const idle = deployment(Idle, { name: 'Idle', module: import.meta.url });
