{{/*
Refuses what would stand twice in a pod: names of the user's that are the chart's own, and names that are given twice. Of two
of one name nobody could tell which one counts, and Kubernetes refuses some of them only in the cluster.
*/}}

{{/* Refuse a name that is the chart's own: (list where name own advice). */}}
{{- define "choreography.refuseOwn" -}}
{{- if has (index . 1) (index . 2) -}}
{{- fail (printf "%s sets %s, which the chart sets itself, so it would be there twice. Remove it. %s" (index . 0) (index . 1) (index . 3)) -}}
{{- end -}}
{{- end -}}

{{/* Refuse a name that was given before: (list where name earlier). */}}
{{- define "choreography.refuseAgain" -}}
{{- if has (index . 1) (index . 2) -}}
{{- fail (printf "%s has %s twice, so one of them would be in vain. Remove or rename one of them." (index . 0) (index . 1)) -}}
{{- end -}}
{{- end -}}

{{/* Judge what the user gave for a service: (list root name service). */}}
{{- define "choreography.refuseTwice" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $service := index . 2 -}}
{{- $declared := index (include "choreography.flow" $root | fromYaml).services $name -}}
{{- $broker := include "choreography.broker" $root | fromYaml -}}
{{- $labels := include "choreography.labels" (list $root $name "service") | fromYaml | keys -}}
{{- range $key, $_ := $service.podLabels -}}
{{- include "choreography.refuseOwn" (list (printf "podLabels of %s" $name) $key $labels "Pods are found by it, so a label of yours needs another name.") -}}
{{- end -}}
{{- $told := include "choreography.daprAnnotations" (list $root $name $service) | fromYaml | keys -}}
{{- range $key, $_ := $service.podAnnotations -}}
{{- include "choreography.refuseOwn" (list (printf "podAnnotations of %s" $name) $key $told "What a sidecar is told has values of its own under sidecar, shutdown, tokens and broker.") -}}
{{- end -}}
{{- $own := list -}}
{{- range include "choreography.ownEnv" (list $root $declared $broker $service) | fromYamlArray }}{{ $own = append $own .name }}{{ end -}}
{{- range $key, $_ := $service.env -}}
{{- include "choreography.refuseOwn" (list (printf "env of %s" $name) $key $own "Most of these have values of their own: tracing, intake, outsides, tokens, topicPrefix, database, store.") -}}
{{- end -}}
{{- if include "choreography.directly" $root -}}
{{- range $key, $_ := $service.env -}}
{{- include "choreography.refuseOwn" (list (printf "env of %s" $name) $key (list "CHOREOGRAPHY_DATABASE" "CHOREOGRAPHY_SCHEMA") "Set database: the URL comes from a Secret, and schemas are named by topicPrefix and service.") -}}
{{- end -}}
{{- end -}}
{{- $address := list -}}
{{- range include "choreography.brokerAddress" $root | fromYamlArray }}{{ $address = append $address .name }}{{ end -}}
{{- range $key, $_ := $root.Values.defaults.env -}}
{{- include "choreography.refuseOwn" (list "defaults.env" $key $address "The jobs that ask the broker get it from broker; a service that needs it has an env of its own.") -}}
{{- end -}}
{{- if include "choreography.aws" $root -}}
{{- range $key, $_ := $service.sidecar.env -}}
{{- include "choreography.refuseOwn" (list (printf "sidecar.env of %s" $name) $key (list "AWS_REGION" "AWS_ENDPOINT" "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY") "Set broker.aws.") -}}
{{- end -}}
{{- end -}}
{{- $volumes := list -}}
{{- range $service.extraVolumes -}}
{{- include "choreography.refuseOwn" (list (printf "extraVolumes of %s" $name) .name (list "tmp" "app" "resources" "database" "database-ca" "owners" "logins") "Choose another name.") -}}
{{- include "choreography.refuseAgain" (list (printf "extraVolumes of %s" $name) .name $volumes) -}}
{{- $volumes = append $volumes .name -}}
{{- end -}}
{{- $paths := list -}}
{{- range $service.extraVolumeMounts -}}
{{- $path := clean .mountPath -}}
{{- include "choreography.refuseOwn" (list (printf "extraVolumeMounts of %s" $name) $path (list "/tmp" "/app" "/resources" "/database" "/database-ca" "/owners" "/logins") "Choose another path.") -}}
{{- include "choreography.refuseAgain" (list (printf "extraVolumeMounts of %s" $name) $path $paths) -}}
{{- $paths = append $paths $path -}}
{{- if not (has .name $volumes) -}}
{{- fail (printf "extraVolumeMounts of %s mounts %s, and there is no such volume, so no pod could start. Add it to extraVolumes (there are: %s), or correct the name." $name .name (join ", " $volumes | default "none")) -}}
{{- end -}}
{{- end -}}
{{- $spread := list -}}
{{- range $service.topologySpreadConstraints -}}
{{- include "choreography.refuseOwn" (list (printf "topologySpreadConstraints of %s" $name) .topologyKey (list "topology.kubernetes.io/zone" "kubernetes.io/hostname") "Set spread.") -}}
{{- $pair := printf "%s with %s" .topologyKey .whenUnsatisfiable -}}
{{- include "choreography.refuseAgain" (list (printf "topologySpreadConstraints of %s" $name) $pair $spread) -}}
{{- $spread = append $spread $pair -}}
{{- end -}}
{{- end -}}
