import './node-version.ts';

export type { ServeMiddleware } from './adapters/middleware.ts';
export type { MiddlewareOptions, RequestRouting } from './adapters/middleware-options.ts';
export type { ShutdownOptions, ShutdownServer } from './adapters/shutdown/shutdown-options.ts';
export type { UpgradableServer } from './adapters/websocket/upgrade-gate.ts';
export type { WebSocketOptions } from './adapters/websocket/websocket-options.ts';
export { type Batched, batch, END_OF_STREAM } from './batching/batch.ts';
export { batchError } from './batching/batch-error.ts';
export type { BatchOptions } from './batching/batch-options.ts';
export { getMultiplexedModelId, type MultiplexedOptions, multiplexed } from './batching/multiplexed.ts';
export type { PendingReplicas } from './controller/place.ts';
export type {
  AppReport,
  AppStatus,
  DeploymentReport,
  DeploymentStatus,
  ReplicaStatus,
  ScalingReport,
  TrialReport,
} from './controller/status.ts';
export { serve } from './default-serve.ts';
export type { AppConfig, DeploymentOverrides, ServeConfig } from './deployment/app-config.ts';
export { type Deployment, deployment } from './deployment/deployment.ts';
export type {
  BoundDeploymentOf as BoundDeployment,
  BoundMethod,
  Deployable,
  NotDeployable,
} from './deployment/deployment-types.ts';
export type { Exposable, NotExposable } from './deployment/exposable.ts';
export type { GraphNode } from './deployment/graph-node.ts';
export type { AutoscalingConfig } from './deployment/options/autoscaling-config.ts';
export type { AutoscalingOptions, PanicOptions } from './deployment/options/autoscaling-options.ts';
export type {
  AppAutoscalingPolicy,
  AutoscalingContext,
  AutoscalingPolicy,
  PolicyResult,
  TimedValue,
} from './deployment/options/autoscaling-policy.ts';
export type { DeploymentOptions } from './deployment/options/deployment-options.ts';
export type { Resources } from './deployment/options/resources.ts';
export type { ScaleOptions } from './deployment/options/scale-options.ts';
export { kwargs } from './deployment/python/kwargs.ts';
export { type PythonClass, pythonDeployment } from './deployment/python/python-deployment.ts';
export type { PythonDeploymentOptions } from './deployment/python/python-options.ts';
export type { PythonBatchOptions, PythonOptions } from './deployment/python/python-plan.ts';
export {
  SERVE_ERRORS,
  ServeError,
  type ServeErrorCode,
  type ServeErrorOptions,
  type ValidationIssue,
} from './errors.ts';
export { DAGDriver, type DagOptions, type DriverOptions, dag } from './graph/dag.ts';
export { type AppDescription, type AppEdge, type AppNode, describeGraph } from './graph/describe-graph.ts';
export type { BoundDag, GraphMethods } from './graph/graph-types.ts';
export { InputNode } from './graph/input-node.ts';
export { toMermaid } from './graph/mermaid.ts';
export type {
  BroadcastResponse,
  CallExplanation,
  DeploymentHandle,
  DeploymentResponse,
  DeploymentStream,
  HandleOptions,
  MapOptions,
  NotMappable,
  NotSerializable,
  RemoteMethod,
  UntypedHandle,
} from './handle/api/handle-types.ts';
export type { Multiplexed } from './handle/api/model-loader.ts';
export { context } from './handle/call/context.ts';
export type { ServeContext } from './handle/call/serve-context.ts';
export type { Priority } from './handle/queue/priority.ts';
export type { TenantPolicy, TenantsOptions } from './handle/queue/tenants.ts';
export { bytesRequest, formRequest, type HttpAdapter, jsonRequest, textRequest } from './input/adapters.ts';
export type { FormField, FormFields, FormFile } from './input/form.ts';
export { type JsonTensor, jsonToTensor, type TensorArray, type TensorType } from './input/tensor.ts';
export type { GrowthWatchOptions } from './instance/guards/growth-watch-options.ts';
export type { HostGuardOptions } from './instance/guards/overload-guard.ts';
export type { FleetStatus, InstanceStatus, StatusReport } from './instance/instance-status.ts';
export type { ResourceReport } from './instance/resources/resource-ledger.ts';
export type { Tensor, TensorData, TensorDtype } from './isolation/child/python/values/tensor.ts';
export type { ServeEventName, ServeEvents } from './observe/events.ts';
export type { Logger } from './observe/logger.ts';
export type { MetricsOptions, MetricsRegister } from './observe/metrics.ts';
export type { OpenApiDocument } from './openapi/openapi-types.ts';
export type {
  ServerWebSocket,
  SocketClose,
  SocketCloseEvent,
  SocketEventMap,
  SocketMessage,
  SocketMessageEvent,
} from './replica/ingress/server-web-socket.ts';
export { type ServerSentEvent, type SseOptions, sse } from './replica/ingress/sse.ts';
export type { RunOptions } from './run-options.ts';
export {
  createServe,
  type OpenApiOptions,
  type Serve,
} from './serve.ts';
export type { ServeOptions } from './serve-options.ts';
export type { Clock } from './time/control-clock.ts';
export { ManualClock } from './time/manual-clock.ts';
export type {
  Counter,
  Gauge,
  Histogram,
  HistogramOptions,
  MetricLabels,
  MetricOptions,
} from './user-metrics/metrics.ts';
export { metrics } from './user-metrics/metrics.ts';
export type { Schema, SchemaOutput } from './validation/schema.ts';
export { transfer } from './values/transfer.ts';
