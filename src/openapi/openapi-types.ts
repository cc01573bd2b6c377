import type { JsonSchema } from '../validation/json-schema.ts';

/** One way into an ingress, as its replica describes it. Plain data. */
export interface RouteDescription {
  /** Below the app's prefix; starts with `/`. */
  readonly path: string;
  /** Whether a body or anything else of the request is looked at. */
  readonly takesRequest: boolean;
  /** Of the JSON body; undefined: whatever the route reads itself. */
  readonly input?: JsonSchema;
  /** Whether a body is JSON of any kind, where `input` does not say more. */
  readonly takesJson?: boolean;
  /** Of the answer, or of each value of a stream. */
  readonly output?: JsonSchema;
  readonly isStream: boolean;
}

/** An ingress as its replica describes it. */
export interface IngressDescription {
  /** What it answers; missing if the replica did not say. */
  readonly face?: { readonly http: boolean; readonly webSocket: boolean };
  readonly routes: readonly RouteDescription[];
  /** What the ingress says of itself: the result of its `openapi()`. */
  readonly document?: JsonSchema;
}

/** An OpenAPI 3.1 document. */
export interface OpenApiDocument {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string; readonly [key: string]: unknown };
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly [key: string]: unknown;
}
