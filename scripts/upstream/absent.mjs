import { deployment } from 'inserve';

/** Has nothing. */
class Absent {
  fetch() {
    return new Response(null, { status: 404 });
  }
}

export const absent = deployment(Absent, { isolation: 'inline' });
