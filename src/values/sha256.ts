/** SHA-256 in hexadecimal. `node:crypto` is loaded at first use, because most replicas never need it. */
export function sha256(data: string | NodeJS.ArrayBufferView): string {
  return process.getBuiltinModule('node:crypto').hash('sha256', data, 'hex');
}
