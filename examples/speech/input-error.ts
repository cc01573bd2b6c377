/**
 * A mistake of the client. `expose` lets the HTTP layer answer `statusCode` with the message;
 * any other error of a deployment is a 500 whose detail stays in the log.
 */
export class InputError extends Error {
  override readonly name = 'InputError';
  readonly expose = true;
  readonly statusCode: number;
  readonly code: string;

  constructor(statusCode: 400 | 415 | 422, code: string, message: string) {
    super(message);
    this.statusCode = statusCode;
    this.code = code;
  }
}
