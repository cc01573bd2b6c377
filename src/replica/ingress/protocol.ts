import {
  flatten,
  type PackedRequest,
  type ResponseEnvelope,
  type SocketEnvelope,
} from '../../channel/http-envelope.ts';
import type { IngressProtocol } from '../call-executor.ts';
import { createRequest } from './request.ts';
import { respond } from './response.ts';
import { IngressSocket } from './socket.ts';
import { UploadBody } from './upload-body.ts';
import { WebSocketSession } from './web-socket-session.ts';

const UPGRADE_REQUIRED: ResponseEnvelope = [
  426,
  flatten(['content-type', 'text/plain; charset=utf-8', 'upgrade', 'websocket']),
  'Upgrade Required: this URL speaks WebSocket',
];

/**
 * HTTP and WebSocket at the replica's end: envelope → `Request`, result → envelope, frames ↔ socket.
 *
 * @param isWhole whether the ingress may make other requests from its request
 */
function ingressProtocolOf(isWhole: boolean): IngressProtocol {
  return {
    request(call) {
      const upload = call.inbound.upload !== undefined ? new UploadBody(call) : undefined;
      return createRequest(call.inbound.args[0] as PackedRequest, upload, call, isWhole);
    },
    respond,
    requireUpgrade(call) {
      call.inbound.result(UPGRADE_REQUIRED, { marks: undefined, transfer: undefined, bytes: 64 });
    },
    async serveWebSocket(call, accept) {
      const [envelope, how] = call.inbound.args as [PackedRequest, SocketEnvelope];
      const request = createRequest(envelope, undefined, call, isWhole);
      const session = new WebSocketSession(call, how);
      const socket = new IngressSocket(session, request.url);
      await session.until(accept(socket, request));
    },
  };
}

export const ingressProtocol: IngressProtocol = ingressProtocolOf(false);
/** The protocol for routers on the host's thread, whose middleware makes requests from requests. */
export const routerProtocol: IngressProtocol = ingressProtocolOf(true);
