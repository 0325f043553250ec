"""Errors of the server, as the SDK's client takes them from the network."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from temporalio.api.common.v1 import GrpcStatus, WorkflowExecution
from temporalio.service import RPCError, RPCStatusCode

from simulation.temporal.runs import Run

if TYPE_CHECKING:
    from simulation.temporal.server import SimulatedTemporal

M = TypeVar("M", bound=Message)


def error(status: RPCStatusCode, message: str, *details: Message) -> RPCError:
    packed = []
    for each in details:
        packed.append(AnyMessage())
        packed[-1].Pack(each)
    grpc = GrpcStatus(code=int(status), message=message, details=packed)
    return RPCError(message, status, grpc.SerializeToString())


def found(server: SimulatedTemporal, execution: WorkflowExecution) -> Run:
    run = server.find(execution.workflow_id, execution.run_id)
    if run is None:
        raise error(RPCStatusCode.NOT_FOUND, f"workflow not found for ID: {execution.workflow_id}")
    return run
