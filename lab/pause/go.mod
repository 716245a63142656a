module choreography/lab/pause

go 1.21
