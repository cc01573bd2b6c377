/** SHA-256 in hexadecimal. The module is loaded at first use: most replicas never need it, and every one would pay for it. */
export function sha256(data: string | NodeJS.ArrayBufferView): string {
  return process.getBuiltinModule('node:crypto').hash('sha256', data, 'hex');
}
