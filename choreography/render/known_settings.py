"""The settings of each component that was tried here. A sidecar silently ignores any other setting.

The source is the metadata.yaml of every component, its authentication profiles and its own struct in components-contrib
1.18.3, which Dapr 1.18.2 contains. Two components are our own: components/eventbridge and components/nats_pull.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Final

from choreography.render.resources import Resource

DAPR: Final = "1.18"

_COMMON: Final = {
    "pubsub": "allowedTopics consumerID protectedTopics publishingScopes subscriptionScopes",
    "state": (
        "actorStateStore keyPrefix outboxDiscardWhenMissingState outboxPublishPubsub outboxPublishTopic outboxPubsub "
        "primaryEncryptionKey secondaryEncryptionKey"
    ),
}
SETTINGS: Final = {
    "pubsub.aws.eventbridge": (
        "accessKey assumeRoleArn busName deadLetterQueue endpoint maxInFlight maxReceives provision "
        "provisionSubscribers region secretKey sessionName sessionToken source visibilityTimeout waitSeconds"
    ),
    "pubsub.aws.snssqs": (
        "accessKey accountID assetsManagementTimeoutSeconds assumeRoleArn awsRegion concurrencyLimit "
        "concurrencyMode disableDeleteOnRetryLimit disableEntityManagement endpoint fifo fifoMessageGroupID "
        "messageMaxNumber messageReceiveLimit messageRetryLimit messageVisibilityTimeout "
        "messageWaitTimeSeconds partition region secretKey sessionName sessionToken sqsDeadLettersQueueName "
        "trustAnchorArn trustProfileArn"
    ),
    "pubsub.jetstream": (
        "ackPolicy ackWait apiPrefix backOff concurrency concurrencyMode deliverPolicy domain durableName "
        "flowControl heartbeat jwt maxAckPending maxDeliver memoryStorage name natsURL queueGroupName "
        "rateLimit replicas seedKey startSequence startTime streamName tls_client_cert tls_client_key token"
    ),
    "pubsub.kafka": (
        "accessKey assumeRoleArn authType awsAccessKey awsIamRoleArn awsSecretKey awsSessionToken "
        "awsStsSessionName brokers caCert channelBufferSize clientCert clientConnectionKeepAliveInterval "
        "clientConnectionTopicMetadataRefreshInterval clientID clientKey compression consumeRetryEnabled "
        "consumeRetryInterval consumerFetchDefault consumerFetchMin consumerGroup "
        "consumerGroupRebalanceStrategy dialTimeout disableTls escapeHeaders excludeHeaderMetaRegex "
        "heartbeatInterval initialOffset maxMessageBytes metadataTimeout oidcAudience oidcClientAssertionCert "
        "oidcClientAssertionKey oidcClientID oidcClientSecret oidcExtensions oidcKid oidcResource oidcScopes "
        "oidcTokenEndpoint producerRequiredAcks producerRetryMax readTimeout region saslMechanism "
        "saslPassword saslUsername schemaCachingEnabled schemaLatestVersionCacheTTL schemaRegistryAPIKey "
        "schemaRegistryAPISecret schemaRegistryURL secretKey sessionName sessionTimeout sessionToken "
        "skipVerify trustAnchorArn trustProfileArn useAvroJSON version writeTimeout"
    ),
    "pubsub.nats-pull": (
        "ackWait deadLetterTopic domain jwt maxDeliver maxInFlight name natsURL password provision "
        "publishTimeout seedKey streamReplicas tls_ca_cert tls_client_cert tls_client_key token username"
    ),
    "pubsub.rabbitmq": (
        "autoAck caCert clientCert clientKey clientName concurrency concurrencyMode connectionString "
        "deletedWhenUnused deliveryMode durable enableDeadLetter exchangeKind heartBeat hostname maxLen "
        "maxLenBytes password prefetchCount protocol publisherConfirm publishMessagePropertiesToMetadata "
        "reconnectWaitSeconds requeueInFailure saslExternal ttlInSeconds username"
    ),
    "pubsub.redis": (
        "azureCertificate azureCertificateFile azureCertificatePassword azureClientId azureClientSecret "
        "azureEnvironment azureTenantId clientCert clientKey concurrency dialTimeout enableTLS failover "
        "idleCheckFrequency idleTimeout insecureSkipTLSVerify maxConnAge maxLenApprox minIdleConns poolSize "
        "poolTimeout processingTimeout queryIndexes queueDepth readTimeout redeliverInterval redisDB "
        "redisHost redisMaxRetries redisMaxRetryInterval redisMinRetryInterval redisPassword redisPort "
        "redisType redisUsername sentinelMasterName sentinelPassword sentinelUsername streamTTL ttlInSeconds "
        "useAzureAD useEntraID writeTimeout"
    ),
    "state.mysql": "cleanupInterval connectionString metadataTableName pemPath schemaName tableName timeoutInSeconds",
    "state.postgresql": (
        "accessKey assumeRoleArn awsAccessKey awsSecretKey azureCertificate azureCertificateFile "
        "azureCertificatePassword azureClientId azureClientSecret azureEnvironment azureTenantId "
        "cleanupInterval cleanupIntervalInSeconds connectionMaxIdleTime connectionString database host "
        "hostaddr maxConns metadataTableName password port queryExecMode region secretKey sessionName "
        "sessionToken sslRootCert tableName tablePrefix timeout timeoutInSeconds trustAnchorArn "
        "trustProfileArn url useAWSIAM useAzureAD user"
    ),
    "state.sqlite": (
        "busyTimeout cleanupInterval cleanupIntervalInSeconds connectionString disableWAL metadataTableName "
        "tableName timeout timeoutInSeconds url"
    ),
}


def judge_names(component: Resource, kind: str) -> Iterator[str]:
    """Yield a sentence for each setting that a component of a known type does not have.

    Args:
        component: the component.
        kind: its type, in the spelling used here.
    """
    if kind not in SETTINGS:
        return
    names = [*SETTINGS[kind].split(), *_COMMON[kind.partition(".")[0]].split()]
    known = {name.lower(): name for name in names}
    for setting in component.settings:
        if setting not in known:
            near = get_close_matches(setting, known, 1)
            hint = f"Did you mean {known[near[0]]}?" if near else f"Its settings are {', '.join(sorted(names))}."
            yield (
                f"{component.file}: {component.type} has no setting {component.names[setting]!r} in Dapr {DAPR}, so a "
                f"sidecar passes over it in silence, and the default counts. {hint}"
            )
