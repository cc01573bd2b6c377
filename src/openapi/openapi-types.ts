import type { JsonSchema } from '../validation/json-schema.ts';

/** One route of an ingress, as its replica describes it. Plain data. */
export interface RouteDescription {
  /** The path below the app's prefix; starts with `/`. */
  readonly path: string;
  /** Whether the route reads the body or any other part of the request. */
  readonly takesRequest: boolean;
  /** The schema of the JSON body; undefined if the route reads the body itself. */
  readonly input?: JsonSchema;
  /** Whether the body is JSON of any shape. Used where there is no `input`. */
  readonly takesJson?: boolean;
  /** The schema of the answer, or of each value of a stream. */
  readonly output?: JsonSchema;
  readonly isStream: boolean;
}

/** An ingress as its replica describes it. */
export interface IngressDescription {
  /** The protocols that it answers; missing if the replica did not report them. */
  readonly face?: { readonly http: boolean; readonly webSocket: boolean };
  readonly routes: readonly RouteDescription[];
  /** The document of the ingress itself: the result of its `openapi()`. */
  readonly document?: JsonSchema;
}

/** An OpenAPI 3.1 document. */
export interface OpenApiDocument {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string; readonly [key: string]: unknown };
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly [key: string]: unknown;
}
