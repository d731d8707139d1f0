"""All resources of the local Comprehend, with their states, tags and request tokens.

Resources are stored in the form that the API shows, each change before anybody can see it. Every access needs
:attr:`Store.lock`.
"""

from __future__ import annotations

import copy
import json
import threading
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from nightsort_local.local_aws.clock import now
from nightsort_local.local_aws.comprehend import states
from nightsort_local.local_aws.comprehend.errors import invalid_request, resource_not_found
from nightsort_local.local_aws.state_file import StateFile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CLASSIFIER = "classifier"
JOB = "job"
ENDPOINT = "endpoint"

RESOURCE = "resource"
"""The kind of a resource's row in the state file."""

STATE_MACHINES = {CLASSIFIER: states.CLASSIFIER, JOB: states.JOB, ENDPOINT: states.ENDPOINT}

TOKEN = "ClientRequestToken"  # noqa: S105 - an API member's name


@dataclass
class Resource:
    """A classifier version, a classification job or an endpoint.

    :param number: a sequence number: the order of creation.
    :param properties: the members that Describe returns.
    :param tags: its tags.
    :param token: the ClientRequestToken of the request that created it.
    :param request: that request without its token, as JSON.
    :param model_file: of a classifier: the file name in the model folder.
    :param since: when it entered its state, in epoch seconds.
    :param on_change: called when its state has changed.
    """

    kind: str
    arn: str
    region: str
    number: int
    properties: dict[str, Any]
    tags: dict[str, str] = field(default_factory=dict)
    token: str | None = None
    request: str = ""
    model_file: str | None = None
    since: float = 0.0
    on_change: Callable[[Resource], None] = field(default=lambda _: None, repr=False, compare=False)

    @property
    def state_machine(self) -> states.StateMachine:
        """The state machine of its kind."""
        return STATE_MACHINES[self.kind]

    @property
    def created(self) -> float:
        """The creation time, in epoch seconds."""
        moment: float = self.properties[self.state_machine.created]
        return moment

    @property
    def state(self) -> str:
        """The current state."""
        state: str = self.properties[self.state_machine.member]
        return state

    @property
    def is_active(self) -> bool:
        """Whether its work is in progress or pending."""
        return self.state in self.state_machine.active

    def change_state(self, state: str, **members: Any) -> None:
        """Change the state, and set the members that come with it."""
        self.state_machine.check(self.state, state)
        self.properties.update(members)
        self.properties[self.state_machine.member] = state
        self.since = now()
        self.on_change(self)

    def shown(self) -> dict[str, Any]:
        """Return a copy of the properties for an answer."""
        return copy.deepcopy(self.properties)


class Store:
    """The resources of all regions.

    :param state: keeps the resources across restarts.
    """

    def __init__(self, state: StateFile | None = None) -> None:
        self.lock = threading.RLock()
        self._state = state or StateFile(None)
        records = [json.loads(content) for _, _, content in self._state.read(RESOURCE)]
        resources = [Resource(**record, on_change=self.keep) for record in records]
        resources.sort(key=lambda resource: resource.number)
        self._resources = {resource.arn: resource for resource in resources}
        self._last_number = resources[-1].number if resources else 0

    def keep(self, resource: Resource) -> None:
        """Store a resource after a change. A change of its state does this by itself."""
        if self._state.keeps and self._resources.get(resource.arn) is resource:
            record = {member.name: getattr(resource, member.name) for member in fields(resource)}
            del record["on_change"]
            self._state.write([(RESOURCE, resource.arn, "", json.dumps(record).encode())])

    def add(
        self, kind: str, arn: str, region: str, properties: dict[str, Any], request: Mapping[str, Any]
    ) -> Resource:
        """Add a new resource, in the first state of its kind."""
        machine = STATE_MACHINES[kind]
        self._last_number += 1
        moment = now()
        resource = Resource(
            kind=kind,
            arn=arn,
            region=region,
            number=self._last_number,
            properties={**properties, machine.member: machine.first, machine.created: moment},
            tags={tag["Key"]: tag.get("Value", "") for tag in request.get("Tags", ())},
            token=request.get(TOKEN),
            request=_without_token(request),
            since=moment,
            on_change=self.keep,
        )
        self._resources[arn] = resource
        self.keep(resource)
        return resource

    def created_by(self, kind: str, region: str, request: Mapping[str, Any]) -> Resource | None:
        """Return the resource that an earlier request with the same token created.

        :raises ApiError: InvalidRequestException: the earlier request had other parameters.
        """
        token = request.get(TOKEN)
        for resource in self.all_of(kind, region):
            if token is not None and resource.token == token:
                if resource.request != _without_token(request):
                    raise invalid_request(
                        f"The {TOKEN} was already used for a request with other parameters. Use a new token."
                    )
                return resource
        return None

    def find(self, arn: str) -> Resource | None:
        """Return the resource of an ARN, or None."""
        return self._resources.get(arn)

    def get(self, arn: str, region: str) -> Resource:
        """Return the resource of an ARN in a region.

        :raises ApiError: ResourceNotFoundException.
        """
        resource = self._resources.get(arn)
        if resource is None or resource.region != region:
            raise resource_not_found()
        return resource

    def all_of(self, kind: str, region: str | None = None) -> list[Resource]:
        """Return the resources of a kind, in the order of their creation."""
        return [
            resource
            for resource in self._resources.values()
            if resource.kind == kind and region in (None, resource.region)
        ]

    def remove(self, arn: str) -> None:
        """Remove a resource and its token."""
        self._resources.pop(arn, None)
        self._state.write([(RESOURCE, arn, "", None)])


def _without_token(request: Mapping[str, Any]) -> str:
    return json.dumps({name: value for name, value in request.items() if name != TOKEN}, sort_keys=True)
