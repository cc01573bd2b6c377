/** What HTTP demands beside the status of a refusal. */
export type RefusalHeaders = Readonly<Record<string, string>>;

/** A request that is refused before it gets to an app; its status, message and headers are the client's to see. */
export class Refusal extends Error {
  readonly statusCode: number;
  readonly expose = true;
  readonly code: string;
  readonly headers: RefusalHeaders;

  constructor(statusCode: number, code: string, message: string, headers: RefusalHeaders = {}) {
    super(message);
    this.statusCode = statusCode;
    this.code = code;
    this.headers = headers;
  }
}
