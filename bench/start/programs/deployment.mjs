import { deployment } from 'inserve';

class Json {
  call() {
    return { ok: true };
  }
}

export const json = deployment(Json, { name: 'Json', module: import.meta.url });
