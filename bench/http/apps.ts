import { busy, echo, events, json, stream, tokenStream, upload } from './deployments.ts';

/** The routes of the bench as apps. */
export type Apps = ReturnType<typeof bindApps>;

export function bindApps(isolation: 'thread' | 'inline') {
  return {
    json: json.options({ isolation }).bind(),
    echo: echo.options({ isolation }).bind(),
    upload: upload.options({ isolation }).bind(),
    stream: stream.options({ isolation }).bind(),
    tokens: tokenStream.options({ isolation }).bind(),
    events: events.options({ isolation }).bind(),
    // Computing on the host's own thread is what it is compared with.
    busy: busy.bind(),
  };
}
