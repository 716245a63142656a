{{/* What Dapr's injector is told of a pod: (list root name service). */}}
{{- define "choreography.daprAnnotations" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $service := index . 2 -}}
{{- $sidecar := $service.sidecar -}}
{{- $env := deepCopy $sidecar.env -}}
{{- if include "choreography.aws" $root -}}
{{- $_ := set $env "AWS_REGION" $root.Values.broker.aws.region -}}
{{- with $root.Values.broker.aws.endpoint }}{{ $_ := set $env "AWS_ENDPOINT" . }}{{ end -}}
{{- end -}}
{{- $pairs := list -}}
{{- range $key, $value := $env }}{{ $pairs = append $pairs (printf "%s=%s" $key $value) }}{{ end -}}
dapr.io/enabled: "true"
dapr.io/app-id: {{ $name }}
dapr.io/app-port: "8000"
dapr.io/app-protocol: http
dapr.io/config: choreography
dapr.io/api-token-secret: {{ include "choreography.apiToken" $root }}
dapr.io/app-token-secret: {{ include "choreography.appToken" $root }}
# A batch of events is one request, so the default of 4 MiB would bound batches, not events.
dapr.io/max-body-size: 16Mi
dapr.io/block-shutdown-duration: {{ int $service.shutdown.blockSeconds }}s
dapr.io/graceful-shutdown-seconds: {{ int $service.shutdown.gracefulSeconds | quote }}
dapr.io/sidecar-seccomp-profile-type: RuntimeDefault
# Addresses come with the components, so the sidecar itself needs no Secret.
dapr.io/disable-builtin-k8s-secret-store: "true"
dapr.io/log-level: {{ $sidecar.logLevel }}
dapr.io/log-as-json: "true"
dapr.io/env: {{ join "," $pairs | quote }}
{{- with $sidecar.image }}
dapr.io/sidecar-image: {{ . | quote }}
{{- end }}
{{- range $kind, $amounts := dict "request" $sidecar.resources.requests "limit" $sidecar.resources.limits }}
{{- range $what, $amount := $amounts }}
dapr.io/sidecar-{{ $what }}-{{ $kind }}: {{ $amount | quote }}
{{- end }}
{{- end }}
{{- with include "choreography.sidecarSecrets" (list $root $name) }}
dapr.io/env-from-secret: {{ . | quote }}
{{- end }}
{{- if include "choreography.beside" $root }}
dapr.io/inject-pluggable-components: "true"
{{- end }}
{{- end -}}

{{/* The environment of a service: (list root declared broker service). */}}
{{- define "choreography.serviceEnv" -}}
{{- include "choreography.ownEnv" . -}}
{{- include "choreography.env" (index . 3).env -}}
{{- end -}}

{{/* Variables of the user's: a map of texts, or of where they come from. */}}
{{- define "choreography.env" -}}
{{- range $key, $value := . }}
{{- if kindIs "string" $value }}
- {name: {{ $key }}, value: {{ $value | quote }}}
{{- else }}
- name: {{ $key }}
  valueFrom:
    {{- toYaml $value.valueFrom | nindent 4 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Where a pod may be, by the settings of a service or of all. */}}
{{- define "choreography.placing" -}}
{{- range $name := list "nodeSelector" "tolerations" "affinity" }}
{{- with index $ $name }}
{{ $name }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* What the chart itself tells a service: (list root declared broker service). */}}
{{- define "choreography.ownEnv" -}}
{{- $root := index . 0 -}}
{{- $tracing := $root.Values.tracing -}}
- {name: APP_PORT, value: "8000"}
# The kubelet asks from outside of the pod. Deliveries without the token are refused.
- {name: APP_HOST, value: "0.0.0.0"}
- name: DAPR_API_TOKEN
  valueFrom:
    secretKeyRef: {name: {{ include "choreography.apiToken" $root }}, key: token}
- name: APP_API_TOKEN
  valueFrom:
    secretKeyRef: {name: {{ include "choreography.appToken" $root }}, key: token}
- {name: CHOREOGRAPHY_PUBSUB, value: {{ (index . 2).pubsub | quote }}}
- {name: CHOREOGRAPHY_TOPIC_PREFIX, value: {{ include "choreography.topicPrefix" $root | quote }}}
{{- if eq $root.Values.intake "closed" }}
- {name: CHOREOGRAPHY_INTAKE, value: closed}
{{- end }}
{{- if include "choreography.directly" $root }}
# The sidecar does not have it: services speak to their database themselves.
- {name: CHOREOGRAPHY_DATABASE_FILE, value: /database/url}
{{- include "choreography.databaseTls" $root }}
{{- else }}
# The state store of a sidecar finds records by their keys alone.
- {name: CHOREOGRAPHY_LISTS, value: "off"}
{{- end }}
{{- if ne $tracing.exporter "none" }}
- {name: ZIPKIN_ENDPOINT, value: {{ ternary $tracing.zipkin.endpoint $tracing.otlp.zipkinEndpoint (eq $tracing.exporter "zipkin") | quote }}}
- {name: CHOREOGRAPHY_SAMPLING, value: {{ $tracing.sampling | quote }}}
{{- end }}
{{- range (index . 1).outsides }}
- {name: OUTSIDE_{{ . | upper | replace "-" "_" }}, value: {{ include "choreography.outside" (list $root .) | quote }}}
{{- end }}
{{- if eq (index . 3).autoscaling.mode "lag" }}
{{- with (index . 2).scaling.environment }}
# Not for the service: KEDA reads it here, and takes it from no Secret.
- name: {{ . }}
  valueFrom:
    secretKeyRef: {name: {{ $root.Values.broker.secretName }}, key: {{ $root | include "choreography.broker" | fromYaml | dig "address" "" }}}
{{- end }}
{{- end }}
{{- end -}}

{{/* How the connection to the database is secured, as libpq's variables have it. */}}
{{- define "choreography.databaseTls" }}
- {name: PGSSLMODE, value: {{ .Values.store.sslmode }}}
{{- if .Values.store.caSecretName }}
- {name: PGSSLROOTCERT, value: /database-ca/ca.crt}
{{- else if hasPrefix "verify-" .Values.store.sslmode }}
- {name: PGSSLROOTCERT, value: /etc/ssl/certs/ca-certificates.crt}
{{- end }}
{{- end -}}

{{/* The authorities that sign for the database, as a volume and its place. */}}
{{- define "choreography.databaseCaVolume" -}}
{{- with .Values.store.caSecretName }}
- name: database-ca
  secret: {secretName: {{ . }}, defaultMode: 0440, items: [{key: ca.crt, path: ca.crt}]}
{{- end }}
{{- end -}}

{{- define "choreography.databaseCaMount" -}}
{{- if .Values.store.caSecretName }}
- {name: database-ca, mountPath: /database-ca, readOnly: true}
{{- end }}
{{- end -}}
