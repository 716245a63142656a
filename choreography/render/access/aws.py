"""AWS: a policy of IAM for the role of each service, as a template of CloudFormation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from choreography.broker_names import aws_name, aws_queue
from choreography.render.access.grants import Grant
from choreography.render.brokers import queue_of_eventbridge
from choreography.render.source import as_yaml

BUS: Final = "choreography"
"""The bus that components/brokers/eventbridge.yaml names."""

_SOURCE: Final = "dapr"
_HEAD: Final = """\
# A policy for the role of each service: deploy this with CloudFormation, and attach each policy to the role that the
# service account of its pods has. Topics, queues, rules and what connects them are made beforehand, by a role that may
# (`choreography provision`): no service may make or change any.
"""
_READ: Final = ["GetQueueUrl", "GetQueueAttributes", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility"]


def permissions_on_sns(grants: Sequence[Grant]) -> str:
    """Return the template for SNS and SQS."""
    return _template((grant, _on_sns(grant)) for grant in grants)


def permissions_on_eventbridge(grants: Sequence[Grant]) -> str:
    """Return the template for EventBridge."""
    return _template((grant, _on_eventbridge(grant)) for grant in grants)


def _on_sns(grant: Grant) -> list[Mapping[str, Any]]:
    return [
        _allow(["sns:Publish"], [_arn("sns", aws_name(topic)) for topic in grant.publishes]),
        _allow(
            ["sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic"],
            [_arn("sns", aws_name(topic)) for topic in grant.topics],
        ),
        _allow([f"sqs:{action}" for action in _READ], [_arn("sqs", aws_queue(grant.user))]),
    ]


def _on_eventbridge(grant: Grant) -> list[Mapping[str, Any]]:
    queues = [queue_of_eventbridge(BUS, _SOURCE, grant.app, topic) for topic in grant.hears]
    # By the last permission, a subscription sees that its rule fills its queue.
    types = [*grant.publishes, *(f"dapr.only/{queue}" for queue in queues)]
    conditions = {"StringEquals": {"events:source": _SOURCE, "events:detail-type": types}}
    return [
        {**_allow(["events:PutEvents"], [_arn("events", f"event-bus/{BUS}")]), "Condition": conditions},
        _allow(["events:DescribeEventBus"], [_arn("events", f"event-bus/{BUS}")]),
        _allow([f"sqs:{action}" for action in _READ], [_arn("sqs", queue) for queue in queues]),
    ]


def _template(policies: Iterable[tuple[Grant, list[Mapping[str, Any]]]]) -> str:
    resources = {
        re.sub("[^A-Za-z0-9]", "", grant.user.title()): {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {
                "ManagedPolicyName": grant.user,
                "PolicyDocument": {"Version": "2012-10-17", "Statement": statements},
            },
        }
        for grant, statements in policies
    }
    return _HEAD + as_yaml({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources})


def _allow(actions: Sequence[str], resources: Sequence[Any]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


def _arn(service: str, name: str) -> dict[str, str]:
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{name}"}
