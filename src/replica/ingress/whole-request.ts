import { parseJson } from '../../input/json-text.ts';
import { quiet, readForm } from './reading.ts';

/**
 * A class for undici's own requests whose body is read like that of a facade. It is for code that makes other requests from
 * them, which undici allows only for objects that its own constructor made.
 *
 * @returns the class to construct it as: `Reflect.construct(NativeRequest, …, this)`
 */
export function defineWholeRequest(NativeRequest: typeof Request): Function {
  const native = NativeRequest.prototype;
  const self = (request: WholeRequest): Request => request as unknown as Request;

  class WholeRequest {
    text(): Promise<string> {
      return quiet(native.text.call(self(this)));
    }

    json(): Promise<unknown> {
      return quiet(native.text.call(self(this)).then(parseJson));
    }

    bytes(): Promise<Uint8Array> {
      return quiet(native.arrayBuffer.call(self(this)).then((buffer) => new Uint8Array(buffer)));
    }

    arrayBuffer(): Promise<ArrayBuffer> {
      return quiet(native.arrayBuffer.call(self(this)));
    }

    blob(): Promise<Blob> {
      return quiet(native.blob.call(self(this)));
    }

    formData(): Promise<FormData> {
      return quiet(readForm(self(this), () => native.formData.call(self(this))));
    }
  }

  Object.setPrototypeOf(WholeRequest.prototype, native);
  return WholeRequest;
}
