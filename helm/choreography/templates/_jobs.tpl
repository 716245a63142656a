{{/* What asks the broker itself, with the client that its address is for: (list root what hook words seconds tries). */}}
{{- define "choreography.brokerJob" -}}
{{- $root := index . 0 -}}
{{- $what := index . 1 -}}
{{- $hook := index . 2 -}}
{{- $name := printf "%s-%s" (include "choreography.name" $root) $what -}}
{{- /* Helm does not count what a hook makes as part of the release, so these go by themselves once they have served. */ -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ $name }}
  labels:
    {{- include "choreography.labels" (list $root $name $what) | nindent 4 }}
  annotations:
    helm.sh/hook: {{ $hook }}
    helm.sh/hook-weight: "-1"
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
data:
  resources.yaml: |
    {{- include "choreography.brokerResources" $root | nindent 4 }}
---
{{ include "choreography.job" (dict
  "root" $root
  "what" $what
  "hook" $hook
  "command" (printf "[choreography, %s, /resources, %s]" $what (join ", " (index . 3)))
  "env" (include "choreography.brokerAddress" $root)
  "mounts" "- {name: resources, mountPath: /resources, readOnly: true}"
  "volumes" (printf "- name: resources\n  configMap: {name: %s}" $name)
  "seconds" (index . 4)
  "tries" (index . 5)) }}
{{- end -}}

{{/* A hook that runs a command of ours once: a dict of root, what, hook, command, env, mounts, volumes, seconds and tries. */}}
{{- define "choreography.job" -}}
{{- $root := .root -}}
{{- $name := printf "%s-%s" (include "choreography.name" $root) .what -}}
{{- $labels := include "choreography.labels" (list $root $name .what) -}}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ $name }}
  labels:
    {{- $labels | nindent 4 }}
  annotations:
    helm.sh/hook: {{ .hook }}
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  # One that failed stays for a while, so that its log can be read.
  ttlSecondsAfterFinished: 3600
  activeDeadlineSeconds: {{ .seconds }}
  backoffLimit: {{ .tries }}
  template:
    metadata:
      labels:
        {{- $labels | nindent 8 }}
    spec:
      # Each try leaves its pod behind, and with it the log of what went wrong.
      restartPolicy: Never
      # The chart's own account is made only afterwards.
      serviceAccountName: {{ $root.Values.serviceAccount.name | default "default" }}
      {{- with $root.Values.defaults.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      {{- with include "choreography.placing" $root.Values.defaults | trim }}
      {{- . | nindent 6 }}
      {{- end }}
      automountServiceAccountToken: false
      enableServiceLinks: false
      {{- with $root.Values.image.pullSecrets }}
      imagePullSecrets:
        {{- range . }}
        - name: {{ . }}
        {{- end }}
      {{- end }}
      securityContext:
        {{- include "choreography.podSecurity" $root | nindent 8 }}
      containers:
        - name: {{ .what }}
          image: {{ include "choreography.image" $root }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          command: {{ .command }}
          # So that `kubectl describe` says it as well.
          terminationMessagePolicy: FallbackToLogsOnError
          env:
            {{- .env | trim | nindent 12 }}
            {{- with include "choreography.env" $root.Values.defaults.env | trim }}
            {{- . | nindent 12 }}
            {{- end }}
          {{- with $root.Values.defaults.envFrom }}
          envFrom:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          securityContext:
            {{- include "choreography.containerSecurity" $root | nindent 12 }}
          resources:
            requests: {cpu: 50m, memory: 96Mi}
            limits: {memory: 256Mi}
          volumeMounts:
            {{- .mounts | trim | nindent 12 }}
            - {name: tmp, mountPath: /tmp}
            {{- with $root.Values.defaults.extraVolumeMounts }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
      volumes:
        {{- .volumes | trim | nindent 8 }}
        - name: tmp
          emptyDir: {}
        {{- with $root.Values.defaults.extraVolumes }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
{{- end -}}

{{/* Where the broker is, as the environment of a program that asks it. */}}
{{- define "choreography.brokerAddress" -}}
{{- if include "choreography.aws" . }}
{{- with .Values.broker.aws.credentialsSecretName }}
{{- range $key := list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY" }}
- name: {{ $key }}
  valueFrom:
    secretKeyRef: {name: {{ $.Values.broker.aws.credentialsSecretName }}, key: {{ $key }}}
{{- end }}
{{- end }}
{{- if .Values.broker.aws.endpoint }}
- name: BROKER_ADDRESS
  value: {{ printf "%s/%s" (regexReplaceAll "^([a-z]+://)" (trimSuffix "/" .Values.broker.aws.endpoint) "${1}$$(AWS_ACCESS_KEY_ID):$$(AWS_SECRET_ACCESS_KEY)@") .Values.broker.aws.region | quote }}
{{- else }}
- {name: BROKER_ADDRESS, value: {{ .Values.broker.aws.region | quote }}}
{{- end }}
{{- else }}
- name: BROKER_ADDRESS
  valueFrom:
    secretKeyRef: {name: {{ .Values.broker.secretName }}, key: {{ (include "choreography.broker" . | fromYaml).address }}}
{{- end }}
{{- end -}}
