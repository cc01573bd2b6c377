import type { IngressProtocol } from '../replica.ts';
import type { RequestEnvelope } from './envelope.ts';
import { createRequest } from './request.ts';
import { respond } from './response.ts';
import { UploadBody } from './upload-body.ts';

/** HTTP at the replica's end: envelope → `Request`, result → envelope. */
export const httpProtocol: IngressProtocol = {
  request(call) {
    const upload = call.inbound.meta?.upload !== undefined ? new UploadBody(call) : undefined;
    return createRequest(call.inbound.args[0] as RequestEnvelope, upload, call);
  },
  respond,
};
