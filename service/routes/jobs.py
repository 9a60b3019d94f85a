"""Jobs: imports that run, ran, or wait for their turn."""

from __future__ import annotations

from fastapi import APIRouter, Response

from graph.errors import NotFound
from service.dependencies import CallerOf, Service, ServiceParts
from service.jobs import Job
from service.keys import Caller
from service.openapi import problems
from service.records import job_record, json_reply
from service.replies import JobList, JobOut
from service.strict import StrictRoute

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=StrictRoute)


@router.get("", response_model=JobList, responses=problems())
async def list_jobs(service: ServiceParts, caller: CallerOf) -> Response:
    """The jobs of the caller's graphs, newest first; the last hundred that ended are kept."""
    jobs = [job for job in service.jobs.all() if caller.sees(job.graph)]
    return json_reply({"jobs": [job_record(job) for job in jobs]})


@router.get("/{job}", response_model=JobOut, responses=problems("not_found", "invalid_request"))
async def get_job(job: str, service: ServiceParts, caller: CallerOf) -> Response:
    """How a job stands."""
    return json_reply(job_record(_job(service, caller, job)))


@router.delete(
    "/{job}",
    status_code=204,
    response_class=Response,
    responses=problems("not_found", "invalid_request"),
)
async def cancel_job(job: str, service: ServiceParts, caller: CallerOf) -> Response:
    """Stop a job after the batch in progress, or forget an ended one. What it stored stays."""
    found = _job(service, caller, job)
    await service.lanes.read(lambda: service.jobs.cancel(found.id))
    return Response(status_code=204)


def _job(service: Service, caller: Caller, job_id: str) -> Job:
    job = service.jobs.get(job_id)
    if not caller.sees(job.graph):
        raise NotFound(f"there is no job {job_id!r} of a graph that this key is for")
    return job
