{{/* What the declarations say of the flow. */}}
{{- define "choreography.flow" -}}
{{- if not (.Files.Get "files/flow.yaml") -}}
{{- fail "The chart holds no flow: its folder files/ is rendered from the declarations, and is not there. In the Choreography repository run `make chart`; for a flow of yours, `choreography render apps.yours --chart CHART`." -}}
{{- end -}}
{{- .Files.Get "files/flow.yaml" -}}
{{- end -}}

{{- define "choreography.name" -}}
{{- (include "choreography.flow" . | fromYaml).flow -}}
{{- end -}}

{{/* What all topics begin with on the broker. */}}
{{- define "choreography.topicPrefix" -}}
{{- .Values.topicPrefix | default (include "choreography.flow" . | fromYaml).topicPrefix -}}
{{- end -}}

{{/* A file of the chosen broker, with the prefix of this release: (list root file). */}}
{{- define "choreography.brokerFile" -}}
{{- $root := index . 0 -}}
{{- $root.Files.Get (printf "files/brokers/%s/%s" $root.Values.broker.kind (index . 1)) | replace "the-topic-prefix" (include "choreography.topicPrefix" $root) -}}
{{- end -}}

{{/* What the chosen broker is like. */}}
{{- define "choreography.broker" -}}
{{- include "choreography.brokerFile" (list . "facts.yaml") -}}
{{- end -}}

{{/* Whether services speak to their database themselves. */}}
{{- define "choreography.directly" -}}
{{- if eq .Values.store.kind "postgres" }}yes{{ end -}}
{{- end -}}

{{- define "choreography.migrates" -}}
{{- if and (include "choreography.directly" .) .Values.migrate.enabled }}yes{{ end -}}
{{- end -}}

{{/* The rendered folder of a store that sidecars reach; `postgres` alone is what services speak to. */}}
{{- define "choreography.storeFolder" -}}
{{- printf "files/stores/%s" (trimSuffix "-by-dapr" .Values.store.kind) -}}
{{- end -}}

{{- define "choreography.storePort" -}}
{{- if include "choreography.directly" . -}}
{{- .Values.networkPolicy.storePort | default (include "choreography.flow" . | fromYaml).databasePort -}}
{{- else -}}
{{- .Values.networkPolicy.storePort | default (.Files.Get (printf "%s/facts.yaml" (include "choreography.storeFolder" .)) | fromYaml).port -}}
{{- end -}}
{{- end -}}

{{/* The settings of one service: (list root name). */}}
{{- define "choreography.service" -}}
{{- $root := index . 0 -}}
{{- $own := index $root.Values.services (index . 1) | default dict -}}
{{- $merged := mergeOverwrite (deepCopy $root.Values.defaults) (deepCopy $own) -}}
{{- /* A variable is replaced as a whole: of two sources Kubernetes would take neither. */ -}}
{{- $env := deepCopy $root.Values.defaults.env -}}
{{- range $key, $value := $own.env }}{{ $_ := set $env $key $value }}{{ end -}}
{{- set $merged "env" $env | toYaml -}}
{{- end -}}

{{/* How many pods a service has at most: (list root name). */}}
{{- define "choreography.mostReplicas" -}}
{{- $service := include "choreography.service" . | fromYaml -}}
{{- if eq $service.autoscaling.mode "none" -}}
{{- if kindIs "invalid" $service.replicas }}1{{ else }}{{ int $service.replicas }}{{ end -}}
{{- else -}}
{{- int $service.autoscaling.maxReplicas -}}
{{- end -}}
{{- end -}}

{{- define "choreography.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* By these pods are found; they never change: (list root name). */}}
{{- define "choreography.selector" -}}
app.kubernetes.io/name: {{ index . 1 }}
app.kubernetes.io/part-of: {{ include "choreography.name" (index . 0) }}
{{- end -}}

{{/* On everything: (list root name component). */}}
{{- define "choreography.labels" -}}
{{- $root := index . 0 -}}
{{ include "choreography.selector" . }}
app.kubernetes.io/component: {{ index . 2 }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
{{- end -}}

{{/* On what belongs to no single service: (list root component). */}}
{{- define "choreography.flowLabels" -}}
{{- include "choreography.labels" (list (index . 0) (include "choreography.name" (index . 0)) (index . 1)) -}}
{{- end -}}

{{- define "choreography.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "choreography.name" .) -}}
{{- end -}}

{{/* Who the pods of one service are: (list root name). */}}
{{- define "choreography.serviceAccountOf" -}}
{{- $root := index . 0 -}}
{{ include "choreography.serviceAccount" $root }}{{ if $root.Values.broker.userPerService }}-{{ index . 1 }}{{ end }}
{{- end -}}

{{/* What a sidecar takes from Secrets, for Dapr's injector: (list root name). */}}
{{- define "choreography.sidecarSecrets" -}}
{{- $root := index . 0 -}}
{{- $suffix := ternary (printf "-%s" (index . 1)) "" $root.Values.broker.userPerService -}}
{{- $pairs := list -}}
{{- if include "choreography.aws" $root -}}
{{- with $root.Values.broker.aws.credentialsSecretName -}}
{{- range $key := list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY" }}{{ $pairs = append $pairs (printf "%s=%s:%s" $key (print $root.Values.broker.aws.credentialsSecretName $suffix) $key) }}{{ end -}}
{{- end -}}
{{- else if $root.Values.broker.userPerService -}}
{{- range $key := (include "choreography.broker" $root | fromYaml).login }}{{ $pairs = append $pairs (printf "%s=%s:%s" $key (print $root.Values.broker.secretName $suffix) $key) }}{{ end -}}
{{- end -}}
{{- join "," $pairs -}}
{{- end -}}

{{- define "choreography.apiToken" -}}
{{- .Values.tokens.apiSecretName | default (printf "%s-api-token" (include "choreography.name" .)) -}}
{{- end -}}

{{- define "choreography.appToken" -}}
{{- .Values.tokens.appSecretName | default (printf "%s-app-token" (include "choreography.name" .)) -}}
{{- end -}}

{{/* What Pod Security `restricted` asks of a pod and of a container. The user is that of Dapr's own images. */}}
{{- define "choreography.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "choreography.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* The URL of a system outside of the flow, or nothing: (list root outside). */}}
{{- define "choreography.outside" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- with index $root.Values.outsides $name -}}
{{- .url -}}
{{- else -}}
{{- if and (eq $name "payment-provider") $root.Values.paymentProvider.enabled -}}
http://payment-provider:8090
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The port of a URL or of host:port. */}}
{{- define "choreography.port" -}}
{{- $authority := regexReplaceAll "^[a-z]+://([^/]*).*$" . "${1}" -}}
{{- $port := regexFind ":[0-9]+$" $authority | trimPrefix ":" -}}
{{- $port | default (ternary "443" "80" (hasPrefix "https://" .)) -}}
{{- end -}}

{{- define "choreography.aws" -}}
{{- if has .Values.broker.kind (list "aws" "eventbridge") }}yes{{ end -}}
{{- end -}}

{{- define "choreography.testEnabled" -}}
{{- if kindIs "invalid" .Values.test.enabled -}}
{{- if and .Values.paymentProvider.enabled (not (hasKey .Values.outsides "payment-provider")) }}yes{{ end -}}
{{- else if .Values.test.enabled -}}
yes
{{- end -}}
{{- end -}}

{{/* A rendered Dapr resource with what only the release knows: (list root resource component). */}}
{{- define "choreography.placed" -}}
{{- $root := index . 0 -}}
{{- $resource := index . 1 -}}
{{- $labels := include "choreography.flowLabels" (list $root (index . 2)) | fromYaml -}}
{{- $_ := set $resource.metadata "labels" $labels -}}
{{- toYaml $resource -}}
{{- end -}}

{{/* Settings of a component: those of the file, with the user's Secret and the user's settings: (list items secretName more).
     Without a Secret they come from the environment of the sidecar. */}}
{{- define "choreography.metadata" -}}
{{- $secret := index . 1 -}}
{{- $more := index . 2 -}}
{{- $replaced := list -}}
{{- range $more }}{{ $replaced = append $replaced .name }}{{ end -}}
{{- $items := list -}}
{{- range index . 0 -}}
{{- if not (has .name $replaced) -}}
{{- if and .secretKeyRef $secret }}{{ $_ := set .secretKeyRef "name" $secret }}{{ end -}}
{{- if and .secretKeyRef (not $secret) }}{{ $_ := set . "envRef" .secretKeyRef.key }}{{ $_ := unset . "secretKeyRef" }}{{ end -}}
{{- $items = append $items . -}}
{{- end -}}
{{- end -}}
{{- concat $items $more | toYaml -}}
{{- end -}}

{{/* The components of the broker, and the subscriptions of the services that are there, as documents. */}}
{{- define "choreography.brokerResources" -}}
{{- $root := . -}}
{{- $secret := .Values.broker.secretName -}}
{{- $more := .Values.broker.metadata -}}
{{- if .Values.broker.userPerService -}}
{{- $secret = "" -}}
{{- $named := list -}}
{{- range $more }}{{ $named = append $named .name }}{{ end -}}
{{- range $item := include "choreography.brokerFile" (list . "login.yaml") | fromYamlArray -}}
{{- if not (has $item.name $named) }}{{ $more = append $more $item }}{{ end -}}
{{- end -}}
{{- end -}}
{{- range regexSplit "(?m)^---$" (include "choreography.brokerFile" (list . "components.yaml")) -1 }}
{{- $component := fromYaml . }}
{{- $items := include "choreography.metadata" (list $component.spec.metadata $secret $more) | fromYamlArray }}
{{- $_ := set $component.spec "metadata" $items }}
{{- if include "choreography.beside" $root }}
{{- $annotations := $component.metadata.annotations | default dict }}
{{- $_ := set $annotations "dapr.io/component-container" (include "choreography.besideContainer" $root) }}
{{- $_ := set $component.metadata "annotations" $annotations }}
{{- end }}
---
{{ include "choreography.placed" (list $root $component "broker-component") }}
{{- end }}
{{- range regexSplit "(?m)^---$" (include "choreography.brokerFile" (list . "subscriptions.yaml")) -1 }}
{{- $subscription := fromYaml . }}
{{- if hasKey $root.Values.services (first $subscription.scopes) }}
---
{{ include "choreography.placed" (list $root $subscription "subscription") }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The component of this project by which sidecars reach the broker, as JSON: its values and the variable in which it is
told of its sidecar. Nothing where Dapr has the component itself. */}}
{{- define "choreography.beside" -}}
{{- if eq .Values.broker.kind "eventbridge" -}}
{{- merge (dict "name" "eventbridge" "variable" "EVENTBRIDGE_SIDECAR" "value" "eventbridge") .Values.broker.eventbridge | toJson -}}
{{- else if eq .Values.broker.kind "nats-pull" -}}
{{- merge (dict "name" "nats-pull" "variable" "NATS_PULL_SIDECAR" "value" "natsPull") .Values.broker.natsPull | toJson -}}
{{- end -}}
{{- end -}}

{{/* Its container, which Dapr's injector puts beside each sidecar. */}}
{{- define "choreography.besideContainer" -}}
{{- $beside := include "choreography.beside" . | fromJson -}}
{{- $env := list
  (dict "name" $beside.variable "value" "http://127.0.0.1:3500")
  (dict "name" "DAPR_API_TOKEN" "valueFrom" (dict "secretKeyRef" (dict "name" (include "choreography.apiToken" .) "key" "token"))) -}}
{{- if include "choreography.aws" . -}}
{{- $env = prepend $env (dict "name" "AWS_REGION" "value" .Values.broker.aws.region) -}}
{{- with .Values.broker.aws.credentialsSecretName -}}
{{- range $key := list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY" -}}
{{- $env = append $env (dict "name" $key "valueFrom" (dict "secretKeyRef" (dict "name" $.Values.broker.aws.credentialsSecretName "key" $key))) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- dict
  "name" $beside.name
  "image" $beside.image
  "imagePullPolicy" .Values.image.pullPolicy
  "env" $env
  "resources" $beside.resources
  "lifecycle" (dict "preStop" (dict "sleep" (dict "seconds" (add1 .Values.defaults.shutdown.blockSeconds))))
  "securityContext" (include "choreography.containerSecurity" . | fromYaml)
  | toJson -}}
{{- end -}}
